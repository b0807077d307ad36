"""The audience: who follows what we publish, since when, and what they have confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from meshmq.core.feed.follower import Follower
from meshmq.core.feed.groups import Groups
from meshmq.core.feed.marks import Marks
from meshmq.core.feed.patterns import weight
from meshmq.core.feed.publisher import Publisher
from meshmq.core.feed.tap import ASKED_MOST
from meshmq.core.part import Ground
from meshmq.errors import ProtocolError
from meshmq.wire.relaying import RELAYED, TO_DEVICE, Echo, pack_echo, read_probe
from meshmq.wire.subscribing import unpack_subscribe

#: The most subscriptions and patterns of one peer, by weight, and the most text of them.
FOLLOWERS_MOST: Final = 100_000
TEXT_MOST: Final = 8 * 1024 * 1024
#: The most subscriptions of one peer that are not answered yet: all are looked at whenever something happens.
UNANSWERED_MOST: Final = 2 * ASKED_MOST


class Audience:
    """All followers of a publisher, and the groups among them."""

    def __init__(self, ground: Ground, publisher: Publisher) -> None:
        self._ground, self._publisher = ground, publisher
        self.groups = Groups(ground.push)
        self._marks = Marks()
        self._unanswered: dict[bytes, dict[Follower, None]] = {}
        self._patterns: Counter[bytes] = Counter()
        self._text: Counter[bytes] = Counter()
        #: Who wants copies of what passes.
        self.tappers: dict[Follower, None] = {}
        self._stamp = 0
        self._stamped: dict[bytes, int] = {}
        self._seen: dict[bytes, int] = {}

    def tuned(self, string: bytes, present: bool) -> None:
        """Learn of a subscription to our topics link."""
        if string.startswith(RELAYED):
            return
        self._publisher.tuned += 1 if present else -1
        self._marks.tuned(string, present)
        asked = read_probe(string) if present else None
        if asked is not None and asked[2] != TO_DEVICE:
            self._publisher.turn += 1  # of what is on its way all comes before it, of what follows nothing
            echo = Echo(self._ground.node_id, self._publisher.turn, asked[1])
            self._ground.outputs += [("spread", [frame]) for frame in pack_echo(string, [echo])]

    def subscribed(self, peer: bytes, body: bytes, now: float) -> None:
        """Take a SUBSCRIBE.

        Raises:
            ProtocolError: it is none, or one too many.
        """
        wanted = unpack_subscribe(body)
        followers = self._publisher.followers
        follower = followers.get((peer, wanted.number))
        if follower is not None and follower.whole:  # it asks anew, having lost sight of us for a while
            self.unsubscribed(peer, wanted.number, now)
            follower = None
        if follower is None:
            # Half a round trip was the question on its way; who says from where on means no more than that.
            late = self._ground.round_trip(peer) / 2 if wanted.since is None else 0.0
            follower = followers[peer, wanted.number] = Follower(peer, wanted, now - late)
            if wanted.early:
                follower.began = min(follower.began, self._publisher.publishes_at)
            self._patterns[peer] += 1
        self._weigh(peer, follower.add(wanted.patterns), 1)
        if self._patterns[peer] > FOLLOWERS_MOST or self._text[peer] > TEXT_MOST:
            raise ProtocolError(f"more than {FOLLOWERS_MOST:,} subscriptions of one peer, or {TEXT_MOST:,} bytes")
        if not wanted.more:
            unanswered = self._unanswered.setdefault(peer, {})
            unanswered[follower] = None
            if len(unanswered) > UNANSWERED_MOST:
                raise ProtocolError(f"more than {UNANSWERED_MOST:,} subscriptions that wait for an answer")
            if follower.group is None:
                self._publisher.follow(follower)
                if follower.taps:
                    self.tappers[follower] = None
            else:
                self._join(follower, follower.group, now)

    def _join(self, follower: Follower, group: str, now: float) -> None:
        """Take a member of a group, which begins as others do: with who was there first."""
        member = follower.peer, follower.number
        before = self.groups.join(group, list(follower.patterns), member, follower.began, now)
        if before is not None:
            for series, item in self._publisher.kept_since(follower):
                if item.at < before:
                    self.groups.hand(group, series, item, now)

    def unsubscribed(self, peer: bytes, number: int, now: float) -> None:
        """Forget a subscription."""
        follower = self._publisher.unfollow(peer, number)
        if follower is not None:
            self._forget(follower, now)
            self._patterns[peer] -= 1
            self._weigh(peer, follower.patterns, -1)

    def _weigh(self, peer: bytes, patterns: Iterable[str], sign: int) -> None:
        for pattern in patterns:
            self._patterns[peer] += sign * weight(pattern)
            self._text[peer] += sign * len(pattern)

    def _forget(self, follower: Follower, now: float) -> None:
        self._answered(follower)
        self.tappers.pop(follower, None)
        if follower.group is not None:
            self.groups.part(follower.group, (follower.peer, follower.number), now)

    def lost(self, peer: bytes, now: float) -> None:
        """Forget a peer whose session is over."""
        for follower in self._publisher.lose(peer):
            self._forget(follower, now)
        self._patterns.pop(peer, None)
        self._text.pop(peer, None)
        self._stamped.pop(peer, None)
        self._seen.pop(peer, None)

    def seen(self, peer: bytes, stamp: int) -> None:
        """Learn that a peer has all that was told it up to a stamp."""
        self._seen[peer] = max(self._seen.get(peer, 0), stamp)
        self._ground.woken.append((("progress",), 1_000))

    def answer(self, now: float) -> None:
        """Answer who subscribed and is in tune."""
        for follower in [
            one
            for unanswered in self._unanswered.values()
            for one in unanswered
            if self._marks.reached(one.peer, one.mark)
        ]:
            self._answered(follower)
            self._publisher.answer(follower, now)
            self._ground.woken.append((("followers",), 1_000))

    def _answered(self, follower: Follower) -> None:
        unanswered = self._unanswered.get(follower.peer)
        if unanswered is not None:
            unanswered.pop(follower, None)
            if not unanswered:
                del self._unanswered[follower.peer]

    def of(self, topic: str) -> list[bytes]:
        """Return the ids of the nodes that get what is published to a topic, our own among them."""
        followers = self._publisher.index.matching(topic)
        found = dict.fromkeys(follower.peer for follower in followers if follower.answered)
        return list(found | dict.fromkeys(self.groups.members(topic)))

    def awaited(self) -> bool:
        """Whether a subscriber that is here has not asked us for anything yet."""
        if self._unanswered:
            return True
        answered = {follower.peer for follower in self._publisher.followers.values() if follower.answered}
        return any(peer.card.subscribes and peer.id not in answered for peer in self._ground.roster.values())

    def owes(self, now: float) -> bool:
        """Whether subscribers have not confirmed the last numbers, or are still on their way to us."""
        publisher = self._publisher
        if not publisher.published:
            return False
        publisher.flush(now)
        if publisher.young_until is not None and (self.awaited() or not self._ground.settled(now)):
            return True
        followers = [one for one in publisher.followers.values() if one.answered and not one.only_taps]
        asked = dict.fromkeys(follower.peer for follower in followers)
        fresh = [peer for peer in asked if peer not in self._stamped]
        if fresh:
            self._stamp += 1
            publisher.tell_heads(publisher.series.values(), now, fresh, stamp=self._stamp)
            self._stamped.update(dict.fromkeys(fresh, self._stamp))
        waiting = [peer for peer in asked if self._seen.get(peer, 0) < self._stamped[peer]]
        return bool(waiting) or any(publisher.errands.get(peer) for peer in asked)
