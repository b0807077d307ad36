"""What became of the orders, and whether it is what was promised."""

from __future__ import annotations

from pathlib import Path

from examples.order_processing.orders import CUSTOMERS


def packed_in(directory: Path) -> dict[str, list[str]]:
    """Return the orders that are packed, by customer."""
    files = {customer: directory / "packed" / customer for customer in CUSTOMERS}
    return {customer: file.read_text().split() if file.exists() else [] for customer, file in files.items()}


def report(packed: dict[str, list[str]], committed: set[str], dead: list[tuple[str, str]]) -> int:
    """Print it; returns 1 where a promise is broken: all that was committed is packed, once, each customer's in order.

    Those that were ``dead``, and tried again, come after the others of their customer.
    """
    late = {number for number, _ in dead}
    all_packed = [number for numbers in packed.values() for number in numbers]
    lost, strangers = committed - set(all_packed), set(all_packed) - committed
    twice = len(all_packed) - len(set(all_packed))
    in_time = [[number for number in numbers if number not in late] for numbers in packed.values()]
    disordered = sum(numbers != sorted(numbers) for numbers in in_time)
    print(f"packed    {len(set(all_packed))}: {len(lost)} lost, {twice} twice, {len(strangers)} that nobody ordered")
    print(f"customers {len(packed)}: {len(packed) - disordered} have theirs in order")
    kept = not (lost or strangers or twice or disordered)
    print(f"promises  {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1
