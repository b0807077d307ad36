"""Detours: devices that stand between publishers and us, and which news come through which.

::

    direct ---- a device covers it: asked of both ----> both ---- its echo, and direct has brought the rest ----> device
      ^                                                                                                           |
      +-------- it is gone, or it drains and direct has its echo, and it has brought the rest ------------------+

Nothing is given up before its successor is proven, and while several bring the same, repeats are dropped by number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Final

from meshmq.core.feed.path import EXHAUSTED_AFTER, Path
from meshmq.core.feed.patterns import covers
from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import Tap
from meshmq.core.feed.tuner import Tuner
from meshmq.core.part import Ground
from meshmq.core.roster import Peer
from meshmq.wire.relaying import TO_DEVICE, TO_PUBLISHER, read_probe, tag, unpack_echo

#: Who subscribes to more than so many topics, or beginnings of them, hears all publishers directly.
STRINGS_MOST: Final = 1_000
#: So much is asked of one device at most: half of what a topics link takes of one connection.
ASKED_MOST: Final = 50_000
#: Of so many patterns it is remembered which devices cover them.
KNOWN_MOST: Final = 10_000
DIRECT: Final = b""
#: By string: the devices through which it is to come, and ``DIRECT``.
Wanted = dict[bytes, dict[bytes, None]]


class Detours:
    """The devices that a subscriber sees, its links to them, and the choice among them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        #: The patterns of each, the addresses of its topics link, and whether it takes anything new.
        self.devices: dict[bytes, tuple[tuple[str, ...], tuple[str, ...], bool]] = {}
        self.tuners: dict[bytes, Tuner] = {}
        self.by_connection: dict[int, bytes] = {}
        self._covering: dict[tuple[str, ...], list[bytes]] = {}
        self._added: dict[bytes, list[bytes]] = {}
        self._dropped: dict[bytes, list[bytes]] = {}

    def __repr__(self) -> str:
        return f"<Detours through {len(self.tuners)} of {len(self.devices)} devices>"

    # -- who is here -------------------------------------------------------------------------------

    def look(self, peers: Iterable[Peer], taps: Iterable[Tap], *, taken: bool) -> None:
        """Look which devices are here; where they are not ``taken``, ways through them are left as soon as may be."""
        found = {
            peer.id: (peer.card.forwards.topics, peer.card.topics, taken and peer.card.state == "up")
            for peer in peers
            if peer.card.forwards.topics and peer.card.topics and peer.reached
        }
        if found == self.devices:
            return
        self.devices = found
        self._covering.clear()
        for tap in taps:
            tap.astray = True
            for device in [device for device in tap.detours if device not in found]:
                del tap.detours[device]
        for device in list(self.tuners):
            if device in found:
                self.tuners[device].addresses = found[device][1]
            else:
                self._part(device)

    def _part(self, device: bytes) -> None:
        tuner = self.tuners.pop(device)
        if tuner.connection is not None:
            self.by_connection.pop(tuner.connection, None)
        tuner.hang_up()
        self._added.pop(device, None)
        self._dropped.pop(device, None)

    def lost(self, connection: int, taps: Iterable[Tap], now: float) -> bool:
        """Learn that a connection is gone; whether it was one to a device."""
        device = self.by_connection.pop(connection, None)
        if device is None:
            return False
        self.tuners[device].failed(now)
        for tap in taps:
            if device in tap.detours:
                tap.detours[device].echoed = 0
                tap.astray = True
        self._ground.soon(self.tuners[device].dial_at)
        return True

    def echoed(
        self, frame: bytes, device: bytes | None, own: Tap | None, taps: Mapping[bytes, Tap], now: float
    ) -> None:
        """Learn that a path brings what we asked for, from a device or (``own``) a publisher.

        Raises:
            ProtocolError: it is no echo.
        """
        string, entries = unpack_echo(frame)
        told = read_probe(string)
        if told is None or told[0] != self._ground.node_id:
            return
        for entry in entries:
            tap = taps.get(entry.publisher)
            if tap is None or (device is None and tap is not own):
                continue
            path = tap.direct if device is None else tap.detours.get(device)
            if path is not None and entry.mark <= path.tuner.mark:
                path.answered(entry, now)
                tap.astray = True

    # -- which way ---------------------------------------------------------------------------------

    def choose(self, patterns: tuple[str, ...], publisher: bytes) -> bytes:
        """Return the device through which a publisher's news come; all who choose among the same choose the same."""
        devices = self._covering.get(patterns)
        if devices is None:
            if len(self._covering) >= KNOWN_MOST:
                self._covering.clear()
            devices = self._covering[patterns] = [
                device
                for device, (wide, _, up) in self.devices.items()
                if up and all(any(covers(one, pattern) for one in wide) for pattern in patterns)
            ]
        found = [device for device in devices if device != publisher]
        return max(found, key=lambda device: blake2b(publisher + device, digest_size=16).digest(), default=DIRECT)

    def concern(self, tap: Tap) -> bool:
        """Whether news of a publisher may come through devices."""
        return bool(tap.detours) or (bool(self.devices) and not (tap.own or tap.unreachable))

    def route(self, tap: Tap, subscriptions: Collection[Subscription], strings: int, now: float) -> None:
        """Choose the ways of all that is wanted of a publisher, and go on with what changes."""
        few = strings <= STRINGS_MOST and len(subscriptions) <= STRINGS_MOST and not (tap.own or tap.unreachable)
        wanted: Wanted = {}
        for subscription in subscriptions:
            device = self.choose(subscription.patterns, tap.publisher) if few else DIRECT
            for string in subscription.prefixes:
                wanted.setdefault(string, {})[device] = None
        tap.astray, tap.look_at = False, None
        for device in dict.fromkeys([*tap.detours, *(one for ways in wanted.values() for one in ways if one)]):
            self._route_through(device, tap, wanted, now)
        self._route_directly(tap, wanted, now)

    def _route_through(self, device: bytes, tap: Tap, wanted: Wanted, now: float) -> None:
        path = tap.detours.get(device)
        if path is None:
            tuner = self._tuner(device)
            if len(tuner.strings) > ASKED_MOST:
                return
            path = tap.detours[device] = Path(tuner, tag(tap.publisher))
        keep = [
            string
            for string, ways in wanted.items()
            if device in ways or (path.brings(string) and not self._relieved(tap, path, string, ways, now))
        ]
        self._ask(device, path, keep)
        if not keep:
            del tap.detours[device]

    def _relieved(self, tap: Tap, path: Path, string: bytes, ways: Iterable[bytes], now: float) -> bool:
        """Whether all that a path has brought of a string comes by others, and it has brought what they do not."""
        for way in ways:
            other = tap.direct if way == DIRECT else tap.detours.get(way)
            if other is None or not other.brings(string):
                return False
            if not path.exhausted(other, now):
                tap.look_at = now + EXHAUSTED_AFTER
                return False
        return True

    def _route_directly(self, tap: Tap, wanted: Wanted, now: float) -> None:
        tuner, keep = tap.tuner, dict[bytes, None]()
        for string, ways in wanted.items():
            others = [path for path in tap.detours.values() if path.brings(string)]
            if DIRECT in ways or not others or (string in tuner.strings and tap.waits):
                keep[string] = None
            elif string in tuner.strings and not any(tap.direct.exhausted(path, now) for path in others):
                keep[string] = None
                tap.look_at = now + EXHAUSTED_AFTER
        renew = bool(tap.detours) and not tuner.ask
        if renew:  # from now on it has to be known since when its own link brings what
            tuner.ask = TO_PUBLISHER
        mark = tuner.mark
        tap.sync(keep, tap.version, now)
        if renew and tuner.connection is not None and tuner.mark == mark:
            tuner.renew(now)

    def _tuner(self, device: bytes) -> Tuner:
        tuner = self.tuners.get(device)
        if tuner is None:
            tuner = self.tuners[device] = Tuner(self._ground, TO_DEVICE)
            tuner.addresses = self.devices[device][1]
        return tuner

    def _ask(self, device: bytes, path: Path, strings: Iterable[bytes]) -> None:
        before, path.strings = path.strings, dict.fromkeys(strings)
        self._added.setdefault(device, []).extend(path.tag + one for one in path.strings if one not in before)
        self._dropped.setdefault(device, []).extend(path.tag + one for one in before if one not in path.strings)

    def leave(self, tap: Tap) -> None:
        """Hear nothing more of a publisher."""
        for device, path in tap.detours.items():
            self._ask(device, path, ())
        tap.detours.clear()
        tap.astray = True

    # -- work and time -----------------------------------------------------------------------------

    def tune(self, taps: Collection[Tap], now: float) -> None:
        """Have the links to devices bring what is wanted of them now."""
        for device, tuner in list(self.tuners.items()):
            added, dropped = self._added.pop(device, []), self._dropped.pop(device, [])
            before = tuner.connection
            if added or dropped or tuner.due(now):
                again = dict.fromkeys(added)  # it may have been dropped before in the same moment
                tuner.tune(list(again), [string for string in dropped if string not in again], now)
            elif tuner.overdue(now):
                paths = [tap.detours[device] for tap in taps if device in tap.detours]
                tuner.check((path.brings(string) for path in paths for string in path.strings), now)
            if tuner.connection != before:
                self.by_connection.pop(before or 0, None)
                if tuner.connection is not None:
                    self.by_connection[tuner.connection] = device
        for tap in taps:
            if tap.detours and tap.tuner.overdue(now):
                tap.tuner.check(map(tap.direct.brings, tap.tuner.strings), now)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tune`` has something to do."""
        return min((moment for tuner in self.tuners.values() for moment in tuner.moments), default=None)
