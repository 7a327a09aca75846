"""The poller delivers as Lambda's event source mapping does: in order, at least once, from the checkpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.poller import RETRY_PAUSE_MAX_S, Checkpoint, StreamPoller
from infra.shards import records_to_redeliver
from tests.infra.streams import ARN, FakeStream, error_named

Event = dict[str, Any]


class Matcher:
    """A match function that notes what it gets. ``answers``: what the next calls answer or raise; then success."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.answers: list[Callable[[Event], object]] = []

    def __call__(self, event: Event, context: Any) -> object:
        assert context.function_name
        self.events.append(event)
        return self.answers.pop(0)(event) if self.answers else {"batchItemFailures": []}

    @property
    def batches(self) -> list[list[str]]:
        return [[record["dynamodb"]["Keys"]["command"]["S"] for record in event["Records"]] for event in self.events]


class Setting:
    """A stream of one open shard "s", a matcher, a clock that stands still, and the poller between them."""

    def __init__(self) -> None:
        self.stream, self.matcher, self.now_s = FakeStream(), Matcher(), 1000.0
        self.stream.add_shard("s")
        self.start_poller(None)

    def start_poller(self, checkpoint: Checkpoint | None) -> None:
        """Put a poller that remembers nothing in the place of the one there was."""
        self.poller = StreamPoller(
            self.stream,  # type: ignore[arg-type]
            ARN,
            self.matcher,
            "match_inbox",
            checkpoint,
            clock=lambda: self.now_s,
        )

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.poller.poll()

    def pass_time(self, seconds: float = RETRY_PAUSE_MAX_S) -> None:
        self.now_s += seconds


@pytest.fixture
def setting() -> Setting:
    return Setting()


def failing_from(command: str) -> Callable[[Event], object]:
    """Answer as a function does that could not process this command."""

    def answer(event: Event) -> object:
        for record in event["Records"]:
            if record["dynamodb"]["Keys"]["command"]["S"] == command:
                return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        raise AssertionError(f"{command} is not in the batch")

    return answer


def raising(_event: Event) -> object:
    raise RuntimeError("as told")


def test_the_event_is_lambdas(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.poll()
    (event,) = setting.matcher.events
    (record,) = event["Records"]
    assert json.loads(json.dumps(event)) == event
    assert record["eventSourceARN"] == ARN
    assert (record["eventName"], record["eventSource"]) == ("INSERT", "aws:dynamodb")
    assert record["dynamodb"]["SequenceNumber"] == f"{1:024d}"
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1767323045
    assert record["dynamodb"]["NewImage"]["facts"] == {"B": "AP8="}
    assert record["dynamodb"]["NewImage"]["expires"] == {"N": "7"}


def test_records_written_before_the_poller_started_are_delivered_once_and_in_order(setting: Setting) -> None:
    setting.stream.write("s", "c1", "c2")
    setting.poll()
    setting.stream.write("s", "c3")
    setting.poll(3)
    assert setting.matcher.batches == [["c1", "c2"], ["c3"]]


def test_a_batch_has_at_most_a_hundred_records(setting: Setting) -> None:
    setting.stream.write("s", *(f"c{number}" for number in range(250)))
    setting.poll(4)
    assert [len(batch) for batch in setting.matcher.batches] == [100, 100, 50]
    assert list(chain.from_iterable(setting.matcher.batches)) == [f"c{number}" for number in range(250)]


def test_only_inserts_are_delivered(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.stream.write("s", "c1", event="REMOVE")
    setting.stream.write("s", "c2", event="MODIFY")
    setting.stream.write("s", "c3")
    setting.poll()
    assert setting.matcher.batches == [["c1", "c3"]]


def test_records_without_an_insert_are_skipped(setting: Setting) -> None:
    setting.stream.write("s", "c1", event="REMOVE")
    setting.poll()
    setting.stream.write("s", "c2")
    setting.poll()
    assert setting.matcher.batches == [["c2"]]


def test_records_from_the_first_failure_on_are_delivered_again(setting: Setting) -> None:
    setting.matcher.answers = [failing_from("c2")]
    setting.stream.write("s", "c1", "c2", "c3")
    setting.poll()
    setting.pass_time()
    setting.poll()
    assert setting.matcher.batches == [["c1", "c2", "c3"], ["c2", "c3"]]


def test_a_failed_batch_blocks_its_shard(setting: Setting) -> None:
    setting.matcher.answers = [failing_from("c1"), raising]
    setting.stream.write("s", "c1")
    setting.poll()
    setting.stream.write("s", "c2")
    for _ in range(3):
        setting.pass_time()
        setting.poll()
    assert setting.matcher.batches == [["c1"], ["c1"], ["c1"], ["c2"]]


def test_after_an_exception_the_whole_batch_is_delivered_again(setting: Setting) -> None:
    setting.matcher.answers = [raising]
    setting.stream.write("s", "c1", "c2")
    setting.poll()
    setting.pass_time()
    setting.poll()
    assert setting.matcher.batches == [["c1", "c2"], ["c1", "c2"]]


def test_a_redelivered_batch_is_as_it_was_whatever_the_function_did_to_the_first(setting: Setting) -> None:
    def spoil(event: Event) -> object:
        event["Records"][0]["dynamodb"].pop("NewImage")
        return raising(event)

    setting.matcher.answers = [spoil]
    setting.stream.write("s", "c1")
    setting.poll()
    setting.pass_time()
    setting.poll()
    assert "NewImage" in setting.matcher.events[1]["Records"][0]["dynamodb"]


def test_the_pause_before_a_redelivery_grows_and_starts_anew_after_progress(setting: Setting) -> None:
    setting.matcher.answers = [raising, raising, raising, failing_from("c2"), raising]
    setting.stream.write("s", "c1", "c2")
    called_at_s: list[float] = []
    for _ in range(60):
        setting.poll()
        called_at_s += [setting.now_s] * (len(setting.matcher.events) - len(called_at_s))
        setting.pass_time(0.05)
    pauses_s = [later - earlier for earlier, later in pairwise(called_at_s)]
    assert pauses_s == pytest.approx([0.1, 0.2, 0.4, 0.1, 0.2], abs=0.06)


FAILED_BATCH = [{"dynamodb": {"SequenceNumber": number}} for number in ("10", "20", "30")]


@pytest.mark.parametrize(
    ("answer", "from_record"),
    [
        (None, 3),
        ({}, 3),
        ({"batchItemFailures": None}, 3),
        ({"batchItemFailures": []}, 3),
        ({"batchItemFailures": [{"itemIdentifier": "30"}, {"itemIdentifier": "20"}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": "30"}, {"itemIdentifier": "99"}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": ["30"]}]}, 0),
        ({"batchItemFailures": [{"item": "30"}]}, 0),
        ({"batchItemFailures": ["30"]}, 0),
        ({"batchItemFailures": "30"}, 0),
        ("30", 0),
    ],
)
def test_the_lowest_failure_is_the_checkpoint_and_what_cannot_be_read_means_all(
    answer: object, from_record: int
) -> None:
    assert records_to_redeliver(FAILED_BATCH, answer) == FAILED_BATCH[from_record:]


def test_a_parents_records_come_before_its_childrens_even_when_they_fail(setting: Setting) -> None:
    setting.stream.add_shard("left", parent="s")
    setting.stream.add_shard("right", parent="s")
    setting.stream.write("left", "l1")
    setting.stream.write("right", "r1")
    setting.stream.write("s", "c1")
    setting.stream.closed.add("s")
    setting.matcher.answers = [raising]
    setting.poll(3)
    assert setting.matcher.batches == [["c1"]]
    for _ in range(2):
        setting.pass_time()
        setting.poll()
    assert setting.matcher.batches == [["c1"], ["c1"], ["l1"], ["r1"]]


def test_a_shard_that_appears_when_another_closes_is_taken_up_at_once(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.poll()
    setting.stream.closed.add("s")
    setting.stream.add_shard("next", parent="s")
    setting.stream.write("next", "n1")
    setting.poll(3)
    assert setting.matcher.batches == [["c1"], ["n1"]]


def test_a_closed_shard_is_read_no_more(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.stream.closed.add("s")
    setting.poll(2)
    reads = setting.stream.reads
    setting.poll(5)
    assert setting.stream.reads == reads


def test_a_child_whose_parent_is_gone_from_the_stream_is_read(setting: Setting) -> None:
    setting.stream.add_shard("orphan", parent="trimmed-long-ago")
    setting.stream.write("orphan", "o1")
    setting.poll()
    assert setting.matcher.batches == [["o1"]]


def test_a_failing_shard_does_not_hold_another_up(setting: Setting) -> None:
    setting.stream.add_shard("other")
    setting.matcher.answers = [raising]
    setting.stream.write("s", "c1")
    setting.stream.write("other", "o1")
    setting.poll()
    setting.stream.write("other", "o2")
    setting.poll()
    assert setting.matcher.batches == [["c1"], ["o1"], ["o2"]]


@pytest.mark.parametrize(
    "error",
    [
        error_named("ProvisionedThroughputExceededException"),
        error_named("ExpiredIteratorException"),
        error_named("InternalServerError"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ],
)
def test_after_an_error_of_the_engine_reading_goes_on_where_it_was(setting: Setting, error: Exception) -> None:
    setting.stream.write("s", "c1")
    setting.poll()
    setting.stream.write("s", "c2")
    setting.stream.errors = [error]
    setting.poll()
    setting.pass_time()
    setting.poll()
    assert setting.matcher.batches == [["c1"], ["c2"]]


def test_when_the_place_is_trimmed_away_reading_goes_on_at_the_oldest_record(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.poll()
    setting.stream.trimmed.add("s")
    setting.stream.records["s"].clear()
    setting.stream.write("s", "c2")
    setting.stream.errors = [error_named("TrimmedDataAccessException")]
    setting.poll()
    setting.pass_time()
    setting.poll()
    assert setting.matcher.batches == [["c1"], ["c2"]]


def test_a_stream_that_cannot_be_described_is_asked_again(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.stream.errors = [error_named("InternalServerError")]
    setting.poll(2)
    assert setting.matcher.batches == []
    setting.pass_time()
    setting.poll()
    assert setting.matcher.batches == [["c1"]]


def test_stopping_finishes_the_batch_and_begins_no_other(setting: Setting) -> None:
    stop = threading.Event()
    poller = StreamPoller(setting.stream, ARN, setting.matcher, "match_inbox")  # type: ignore[arg-type]

    def stop_while_working(_event: Event) -> object:
        stop.set()
        return None

    setting.matcher.answers = [stop_while_working]
    setting.stream.write("s", *(f"c{number}" for number in range(150)))
    poller.run(stop)
    assert [len(batch) for batch in setting.matcher.batches] == [100]


class Killed(BaseException):
    """The process is gone; nothing catches this."""


def killing(_event: Event) -> object:
    raise Killed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.json"


def test_without_a_checkpoint_a_new_poller_starts_at_the_oldest_record(setting: Setting) -> None:
    setting.stream.write("s", "c1")
    setting.poll()
    setting.start_poller(None)
    setting.poll()
    assert setting.matcher.batches == [["c1"], ["c1"]]


def test_with_a_checkpoint_a_new_poller_goes_on_after_what_is_through(setting: Setting, file: Path) -> None:
    setting.start_poller(Checkpoint(file))
    setting.stream.write("s", "c1", "c2")
    setting.poll()
    setting.stream.write("s", "c3")
    setting.start_poller(Checkpoint(file))
    setting.poll()
    assert setting.matcher.batches == [["c1", "c2"], ["c3"]]


def test_a_batch_in_which_the_poller_is_killed_comes_again_and_nothing_before_it(setting: Setting, file: Path) -> None:
    setting.start_poller(Checkpoint(file))
    setting.stream.write("s", "c1")
    setting.poll()
    setting.stream.write("s", "c2", "c3")
    setting.matcher.answers = [killing]
    with pytest.raises(Killed):
        setting.poll()
    setting.start_poller(Checkpoint(file))
    setting.poll(2)
    assert setting.matcher.batches == [["c1"], ["c2", "c3"], ["c2", "c3"]]


def test_the_checkpoint_stands_before_the_first_record_that_failed(setting: Setting, file: Path) -> None:
    setting.start_poller(Checkpoint(file))
    setting.matcher.answers = [failing_from("c3")]
    setting.stream.write("s", "c1", "c2", "c3", "c4")
    setting.poll()
    setting.start_poller(Checkpoint(file))
    setting.poll()
    assert setting.matcher.batches == [["c1", "c2", "c3", "c4"], ["c3", "c4"]]


@pytest.mark.parametrize("answer", [raising, failing_from("c1")])
def test_a_batch_of_which_nothing_is_through_moves_no_checkpoint(
    setting: Setting, file: Path, answer: Callable[[Event], object]
) -> None:
    setting.start_poller(Checkpoint(file))
    setting.matcher.answers = [answer]
    setting.stream.write("s", "c1")
    setting.poll()
    assert not file.exists()


def test_each_shard_has_its_place_and_a_child_still_waits_for_its_parent(setting: Setting, file: Path) -> None:
    setting.start_poller(Checkpoint(file))
    setting.stream.add_shard("child", parent="s")
    setting.stream.write("s", "c1")
    setting.poll()
    setting.stream.write("s", "c2")
    setting.stream.write("child", "n1")
    setting.stream.closed.add("s")
    setting.start_poller(Checkpoint(file))
    setting.poll(2)
    setting.start_poller(Checkpoint(file))
    setting.stream.write("child", "n2")
    setting.poll(2)
    assert setting.matcher.batches == [["c1"], ["c2"], ["n1"], ["n2"]]


def test_a_checkpoint_whose_record_is_trimmed_away_leads_to_the_oldest_one(setting: Setting, file: Path) -> None:
    Checkpoint(file).move("s", f"{7:024d}")
    setting.stream.trimmed.add("s")
    setting.stream.write("s", "c8")
    setting.start_poller(Checkpoint(file))
    setting.poll()
    assert setting.matcher.batches == [["c8"]]


def test_a_checkpoint_that_was_cut_off_while_it_was_written_is_the_one_before(file: Path) -> None:
    Checkpoint(file).move("s", "1")
    file.with_name(file.name + ".tmp").write_text('{"s": "', encoding="utf-8")
    checkpoint = Checkpoint(file)
    assert checkpoint.last_through("s") == "1"
    checkpoint.move("s", "2")
    assert Checkpoint(file).last_through("s") == "2"
