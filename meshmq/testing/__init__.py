"""What tests of programs on MeshMQ need, and what MeshMQ's own tests use.

- ``Network``: real nodes in one process without sockets of the network, each test a mesh of its
  own (the pytest fixture ``mesh_network``), with a ``HandClock`` if the test wants time in its hand;
- ``MemoryNetwork`` and ``MemoryLinks``: the links below it, and ways to cut and freeze them;
- ``simulate`` and ``Programs``: coroutines on nodes in virtual time, from a seed, over connections that
  lie as real ones do, on machines that die, stop and drift (``Faults``). A run that fails says its seed,
  the end of its trace, and the command that replays it;
- ``Simulation`` and ``Scenario``: the same for whoever makes deciders of their own.
"""

from meshmq.testing.clock import HandClock
from meshmq.testing.fates import Fates
from meshmq.testing.faults import Faults
from meshmq.testing.jobs import Jobs
from meshmq.testing.memory import MemoryNetwork
from meshmq.testing.memory_links import MemoryLinks
from meshmq.testing.mesh import Mesh
from meshmq.testing.network import Network, open_links
from meshmq.testing.programs import Programs
from meshmq.testing.replay import Report, SimulationFailed, simulate
from meshmq.testing.scenario import Scenario
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation
from meshmq.testing.trial import Trial
from meshmq.whereabouts import Place

__all__ = [
    "Fates",
    "Faults",
    "HandClock",
    "Jobs",
    "MemoryLinks",
    "MemoryNetwork",
    "Mesh",
    "Network",
    "Place",
    "Programs",
    "Report",
    "Scenario",
    "SimulatedNode",
    "Simulation",
    "SimulationFailed",
    "Trial",
    "open_links",
    "simulate",
]
