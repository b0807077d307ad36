"""Sets news in order: each flow waits for its next number, has what is missing fetched, or tells it as missed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from meshmq.core.feed.flow import Flow
from meshmq.core.feed.subscription import HELD_MOST, Span, Subscription
from meshmq.core.feed.tap import Tap
from meshmq.core.part import Ground
from meshmq.wire.frames import Kind
from meshmq.wire.news import DURABLE_EPOCHS, News
from meshmq.wire.subscribing import Fetch, Head, pack_fetch

#: The most messages asked for at a time.
FETCH_MOST: Final = 1_000
#: The most bytes asked for at a time; a value that is larger comes alone.
FETCH_BYTES: Final = 8 * 1024 * 1024
_LIKELY_BYTES: Final = 64 * 1024
#: The most topics of one publisher of which a subscription knows how far they are.
FLOWS_MOST: Final = 100_000
_PASSED_OVER: Final = 8


class Sorter:
    """All flows of a node's subscriptions: what comes in, in any order, goes on in the right one."""

    def __init__(self, ground: Ground, tap_of: Callable[[bytes], Tap | None]) -> None:
        #: ``tap_of`` gives the tap at a publisher, also at one that is gone.
        self._ground, self._tap_of = ground, tap_of
        #: Subscriptions of which flows go on as soon as the user has made room.
        self.hungry: dict[Subscription, None] = {}

    def _flow(self, tap: Tap, subscription: Subscription, topic: str, epoch: int, first: int) -> Flow:
        flows = subscription.flows.get(tap.publisher)
        if flows is None:
            flows = subscription.flows[tap.publisher] = OrderedDict()
        flow = flows.get(topic)
        if flow is None:
            if len(flows) >= FLOWS_MOST:
                self._forget_one(tap, subscription, flows)
            based = subscription.number in tap.answered
            taken = self._take_over(tap, subscription, topic, epoch)
            flow = flows[topic] = taken or Flow(tap.publisher, topic, epoch, based=based)
            if taken is not None:
                if based and not flow.based:
                    flow.rebase(0)
                if flow.behind:
                    tap.behind[flow] = subscription
            elif not based:
                tap.behind[flow] = subscription
            elif subscription.forgetful:  # it may be one of those that were forgotten: nobody knows where it was
                flow.rebase(first - 1)
        return flow

    def _take_over(self, tap: Tap, subscription: Subscription, topic: str, epoch: int) -> Flow | None:
        """Return the flow of a durable topic that a former incarnation of its publisher has left, to go on with.

        What is missing is asked of the new one alone; the former has no say in it any more.
        """
        if epoch < DURABLE_EPOCHS:
            return None
        for publisher, flows in subscription.flows.items():
            flow = flows.get(topic)
            if publisher != tap.publisher and flow is not None and flow.epoch == epoch:
                del flows[topic]
                self.coming(flow, subscription, 0)
                subscription.hungry.pop(flow, None)
                if (former := self._tap_of(publisher)) is not None:
                    former.behind.pop(flow, None)
                    former.doubts.pop(flow, None)
                flow.publisher, flow.doubted = tap.publisher, -1
                return flow
        return None

    def _forget_one(self, tap: Tap, subscription: Subscription, flows: OrderedDict[str, Flow]) -> None:
        """Forget the oldest flow that misses nothing; where none of the oldest few is such, what one misses is lost."""
        for _ in range(_PASSED_OVER):
            topic, flow = next(iter(flows.items()))
            if not flow.behind:
                break
            flows.move_to_end(topic)
        topic, flow = flows.popitem(last=False)
        subscription.forgetful = True
        if flow.behind:
            self._give_up(flow, subscription)
            tap.behind.pop(flow, None)
            tap.doubts.pop(flow, None)

    def _give_up(self, flow: Flow, subscription: Subscription) -> None:
        """Tell all that is missing as missed."""
        if not flow.based:
            flow.rebase(flow.hole)
        self.coming(flow, subscription, 0)
        subscription.hungry.pop(flow, None)
        self.go_on(flow, subscription, None)

    def latest(self, tap: Tap, subscription: Subscription, news: News, now: float) -> None:
        """Take what is the newest of its topic, for a subscription that wants no more."""
        flow = self._flow(tap, subscription, news.topic, news.epoch, news.first)
        if news.epoch != flow.epoch:
            flow.restart(news.epoch)
        flow.based = True
        tap.behind.pop(flow, None)
        if news.last >= flow.next:
            self._accept(flow, subscription, news, now)

    def arrive(self, tap: Tap, subscription: Subscription, news: News, now: float) -> None:
        """Take news for one subscription."""
        flow = self._flow(tap, subscription, news.topic, news.epoch, news.first)
        if news.epoch != flow.epoch:
            self._begin_anew(flow, subscription, news.epoch)
        flow.kept = news.kept
        if news.elsewhere:
            flow.head = max(flow.head, news.last)
        elif flow.based and news.first <= flow.next:
            if news.last >= flow.next:
                self._accept(flow, subscription, news, now)
        elif not self._hold(flow, subscription, news, now):
            flow.head = max(flow.head, news.last)  # it is fetched when its turn comes, or told as missed
        if flow.held or flow.head >= flow.next:
            if flow.doubted < 0 and not tap.passed(news.turn):
                self._doubt(flow, subscription, tap, news.turn, now)
            self.go_on(flow, subscription, tap)

    def _doubt(self, flow: Flow, subscription: Subscription, tap: Tap, turn: int, now: float) -> None:
        """Wait with a hole: what was published before a turn may be on its way."""
        flow.doubted = max(flow.doubted, turn)
        tap.doubts.pop(flow, None)
        tap.doubts[flow] = subscription, now

    def _hold(self, flow: Flow, subscription: Subscription, news: News, arrived: float) -> bool:
        size = news.size(0, news.count)
        most = max(subscription.capacity, HELD_MOST)
        if subscription.held + news.count > most or subscription.held_size + size > subscription.capacity_bytes:
            return False
        held = flow.hold(news, arrived)
        if held:
            subscription.held += news.count
            subscription.held_size += size
        return held is not None

    def _release(self, flow: Flow, subscription: Subscription) -> None:
        """Take the first of what is held, whose turn it is."""
        news, arrived = flow.held.popleft()
        subscription.held -= news.count
        subscription.held_size -= news.size(0, news.count)
        if news.last >= flow.next:
            self._accept(flow, subscription, news, arrived)

    def _begin_anew(self, flow: Flow, subscription: Subscription, epoch: int) -> None:
        self._give_up(flow, subscription)
        flow.restart(epoch)

    def _accept(self, flow: Flow, subscription: Subscription, news: News, arrived: float) -> None:
        start = max(0, flow.next - news.first)
        if news.first > flow.next:
            self._miss(flow, subscription, news.first - 1)
        flow.next = news.last + 1
        waiting = subscription.waiting
        subscription.put(Span(news, flow, start, news.count, arrived))
        if subscription.waiting > waiting or subscription.disconnected:
            count = max(1, subscription.waiting - waiting)
            self._ground.woken.append((subscription.key, count))

    def _miss(self, flow: Flow, subscription: Subscription, upto: int) -> None:
        """Give up what was awaited up to a number."""
        count = upto + 1 - flow.next
        if count > 0:
            flow.next = upto + 1
            flow.missed += count
            if subscription.latest:
                subscription.superseded += count
            else:
                subscription.lost += count

    # -- holes -------------------------------------------------------------------------------------

    def go_on(self, flow: Flow, subscription: Subscription, tap: Tap | None) -> None:
        """Take what is held and whose turn it is; have the hole before it fetched, or give it up.

        Without a tap nothing more can come.
        """
        while flow.based:
            while flow.held and flow.held[0][0].first <= flow.next:
                self._release(flow, subscription)
            if not flow.behind:
                break
            # What is held has come after all that was before it on the same path, and not on another.
            if tap is not None and (flow.fetching or (flow.doubted >= 0 and (not flow.held or tap.several))):
                tap.behind[flow] = subscription
                return
            hole = flow.hole
            if tap is not None and flow.kept and not subscription.disconnected:
                tap.behind[flow] = subscription
                self._queue(tap, flow, subscription)
                return
            self._miss(flow, subscription, hole)
        if tap is not None and flow.based:
            tap.behind.pop(flow, None)
            flow.doubted = -1

    def _queue(self, tap: Tap, flow: Flow, subscription: Subscription) -> None:
        """Have what is missing fetched, in its turn and as soon as there is room."""
        if flow.held and min(subscription.room) <= 0:  # what comes before it needs the room; it is fetched in its turn
            flow.head = max(flow.head, flow.held[-1][0].last)
            for news, _ in flow.held:
                subscription.held -= news.count
                subscription.held_size -= news.size(0, news.count)
            flow.held.clear()
        subscription.hungry[flow] = tap
        self._feed(subscription)

    def _feed(self, subscription: Subscription) -> None:
        hungry = subscription.hungry
        while hungry and subscription.roomy:
            flow, tap = hungry.popitem(last=False)
            # Of a publisher that does not know of us in this session we ask when it has answered (``Subscriber.heads``)
            known = subscription.number in tap.answered and not tap.gone
            if known and flow.based and not flow.fetching and tap.behind.get(flow) is subscription:
                self._fetch(tap, flow, subscription)
        if hungry:
            self.hungry[subscription] = None
        else:
            self.hungry.pop(subscription, None)

    def _fetch(self, tap: Tap, flow: Flow, subscription: Subscription) -> None:
        first, last = flow.next, flow.hole
        if first > last:
            return  # it came while it waited for room
        messages, size = subscription.room
        messages = min(messages, FETCH_MOST, last + 1 - first)
        # Before anything has come they may be large: then few are asked for at a time.
        likely = max(_LIKELY_BYTES, subscription.largest) * messages if subscription.largest else FETCH_BYTES
        size = min(size, max(subscription.largest, min(FETCH_BYTES, likely)))
        fetch = Fetch(subscription.number, flow.topic, flow.epoch, first, last, messages, size)
        if self._ground.put(tap.publisher, Kind.FETCH, pack_fetch(fetch)):
            self.coming(flow, subscription, messages, size)

    def coming(self, flow: Flow, subscription: Subscription, messages: int, size: int = 0) -> None:
        """Note how many messages and bytes were asked for and are on their way."""
        subscription.fetches += bool(messages) - bool(flow.fetching)
        subscription.coming += messages - flow.fetching
        subscription.coming_size += size - flow.fetching_size
        flow.fetching, flow.fetching_size = messages, size

    def fetched(self, tap: Tap, subscription: Subscription, flow: Flow, upto: int) -> None:
        """Learn that what was fetched has been sent up to a number, as far as it was there."""
        self.coming(flow, subscription, 0)
        last = min(upto, max(flow.head, flow.held[-1][0].last if flow.held else 0))
        while flow.next <= last:
            if flow.held and flow.held[0][0].first <= flow.next:
                self._release(flow, subscription)
            else:
                self._miss(flow, subscription, min(last, flow.hole))
        self.go_on(flow, subscription, tap)

    def head(self, tap: Tap, subscription: Subscription, head: Head, turn: int, now: float, *, base: bool) -> None:
        """Learn how far a topic is; with ``base``, in answer to the subscription, which begins there."""
        if subscription.latest and not base:
            return
        flow = self._flow(tap, subscription, head.topic, head.epoch, head.head + 1)
        if head.epoch != flow.epoch:
            self._begin_anew(flow, subscription, head.epoch)
        if not flow.based:
            flow.rebase(head.base, exact=subscription.since is not None)
        if subscription.latest:
            tap.behind.pop(flow, None)
            return
        flow.head = max(flow.head, head.head)
        flow.kept = flow.kept or 0 < head.oldest <= head.head
        missing = flow.head >= flow.next and (not flow.held or tap.several) and (not base or not flow.kept)
        if missing and not tap.passed(turn) and not tap.own:
            self._doubt(flow, subscription, tap, turn, now)
        self.go_on(flow, subscription, tap)

    def look_again(self) -> None:
        """Go on where users have made room."""
        for subscription in list(self.hungry):
            self._feed(subscription)

    def believe(self, tap: Tap, now: float) -> None:
        """Believe the heads that a publisher told: what was on its way has come, or will not."""
        for flow, (subscription, since) in list(tap.doubts.items()):
            if flow.doubted < 0 or tap.settled(flow.doubted, since, now):
                flow.doubted = -1
                del tap.doubts[flow]
                self.go_on(flow, subscription, tap)
