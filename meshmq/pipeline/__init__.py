"""Pipelines: a source, stages and sinks, each a function, run in processes that may come and go."""

from __future__ import annotations

from meshmq.pipeline.pipeline import Pipeline
from meshmq.pipeline.report import Report, StageReport

__all__ = ["Pipeline", "Report", "StageReport"]
