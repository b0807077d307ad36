"""What is ordered, by whom, and what goes wrong with it."""

from __future__ import annotations

from typing import Final

ORDERS: Final = 60
CUSTOMERS: Final = ("ada", "ben", "cleo", "dan", "eve", "finn")
#: The customers whose cards have expired; so often is a payment tried.
EXPIRED: Final = ("cleo", "eve")
ATTEMPTS: Final = 3


def customer_of(number: int) -> str:
    """Return who placed an order."""
    return CUSTOMERS[number % len(CUSTOMERS)]


def is_taken_back(number: int) -> bool:
    """Whether the customer thinks better of it before it is committed."""
    return number % 10 == 0


def fails(number: int) -> bool:
    """Whether it is the order that an expired card is to pay: the third of its customer."""
    return customer_of(number) in EXPIRED and (number - 1) // len(CUSTOMERS) == 2
