from datetime import timedelta

import httpx
import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.sdk.sampler import JobSampler
from telemetry.sdk.trace_suppression import suppressed_context
from tests.support.telegram_server import Killed, StrictTelegram
from tests.unit.telemetry.alerts.conftest import alert

MINUTE, HOUR = 60.0, 3600.0


def test_an_alert_is_one_message(machine, telegram):
    machine.report(alert())

    machine.run(2)

    assert telegram.texts == ["❌ ERROR\nComponent: shop\nTime: 2025-10-02 12:00:00 UTC\n\nshop failed"]


def test_repeats_are_counted_in_the_message_that_told_the_first_once_a_minute(machine, telegram, clock):
    machine.report(alert())
    machine.run(2)
    for _ in range(36):
        machine.report(alert(at=clock.forward(0.1)))

    machine.run(50)
    assert [method for _, method, _ in telegram.calls] == ["sendMessage"]
    machine.run(20)

    [text] = telegram.texts
    assert text.endswith("\n\n×37, last 12:00")
    assert [method for _, method, _ in telegram.calls] == ["sendMessage", "editMessageText"]


def test_what_is_still_there_after_four_hours_is_told_again(machine, telegram, clock):
    for _ in range(5 * 12):
        machine.report(alert(at=clock()))
        machine.run(5 * MINUTE, step=20)

    first, second = telegram.texts
    assert "×48" in first
    assert second.endswith("×60, last 16:55\nStill there, 4 h later.")


def test_what_does_not_come_again_for_four_hours_is_a_new_alert_when_it_does(machine, telegram, clock):
    machine.report(alert())
    machine.run(5)
    clock.forward(4 * HOUR + 1)
    machine.run(5)

    machine.report(alert(at=clock()))
    machine.run(5)

    assert len(telegram.texts) == 2
    assert "Still there" not in telegram.texts[1]


def test_a_429_waits_exactly_as_long_as_it_says_also_over_a_restart(machine, telegram, clock):
    machine.report(alert())
    telegram.fault = lambda _method: "429"
    machine.run(1)
    state = machine.notifications.channel("telegram")
    telegram.fault = lambda _method: None

    machine.dispatcher.release()
    machine.start()
    machine.run(state.paused_until - clock() + 5)

    [(refused_at, _, _), (sent_at, _, _)] = telegram.calls
    assert state.last_error == f"telegram asks to wait {state.paused_until - refused_at:.0f} s"
    assert 0 <= sent_at - state.paused_until <= 0.6
    assert len(telegram.texts) == 1


def test_what_fails_is_tried_again_less_and_less_often_and_never_given_up(machine, telegram, clock):
    machine.report(alert())
    telegram.fault = lambda _method: "dns"
    machine.run(3 * 24 * HOUR, step=1800)
    telegram.fault = lambda _method: None

    machine.run(2 * MINUTE)

    assert len(telegram.texts) == 1


def test_what_is_no_error_is_given_up_after_a_day_and_counted(machine, telegram):
    machine.report(alert("a", level=AlertLevel.WARNING), alert("b", level=AlertLevel.INFO), alert("c"))
    telegram.fault = lambda _method: "dns"

    machine.run(25 * HOUR, step=900)

    assert machine.queries.counts(machine.clock()).pending == 1
    assert machine.measured.points("telemetry.dropped") == {("alerts", "too old"): 2}


@pytest.mark.parametrize(("fault", "messages"), [("killed before", 1), ("killed after", 2)])
def test_after_a_crash_between_sending_and_noting_it_the_repeat_says_that_it_may_be_one(
    machine, telegram, clock, fault, messages
):
    machine.report(alert())
    telegram.fault = lambda _method: fault
    with pytest.raises(Killed):
        machine.dispatcher.step()
    telegram.fault = lambda _method: None

    machine.start()
    machine.run(40)

    assert telegram.texts[-1].endswith("Possible duplicate: this message may have been delivered before.")
    assert len(telegram.texts) == messages


def test_a_sender_that_dies_gives_its_place_back_after_its_lease(machine, make_machine, telegram, clock):
    machine.report(alert())
    telegram.fault = lambda _method: "killed before"
    with pytest.raises(Killed):
        machine.dispatcher.step()
    telegram.fault = lambda _method: None

    machine.start()
    machine.run(29)
    assert telegram.texts == []
    machine.run(3)

    assert len(telegram.texts) == 1


def test_a_chat_that_is_not_there_disables_the_channel_which_is_asked_every_five_minutes(make_machine, clock):
    telegram = StrictTelegram(clock)
    machine = make_machine(telegram, chat_id="-1009999999999")
    machine.report(alert("a"), alert("b"))

    machine.run(HOUR + 5, step=5)

    assert [method for _, method, _ in telegram.calls] == ["sendMessage"] + ["getChat"] * 12
    assert (
        machine.notifications.channel("telegram").disabled_reason
        == "telegram refuses (400: Bad Request: chat not found)"
    )
    machine.start()
    machine.run(MINUTE)
    assert [method for _, method, _ in telegram.calls].count("sendMessage") == 2
    assert machine.queries.counts(clock()).pending == 2


class Hook(httpx.BaseTransport):
    def __init__(self):
        self.bodies = []

    def handle_request(self, request):
        self.bodies.append(request.read())
        return httpx.Response(204)


def test_what_telegram_refuses_for_good_goes_to_the_second_channel(make_machine, clock, make_webhook):
    telegram, hook = StrictTelegram(clock, telegram_chat="blocked"), Hook()
    machine = make_machine(telegram)
    machine.channels.append(make_webhook(hook))
    machine.report(alert())

    machine.run(5)

    [body] = hook.bodies
    assert b'"kind":"alert"' in body
    assert b"shop failed" in body
    assert machine.queries.page(clock())[0].channel == "webhook"


def test_a_group_that_became_a_supergroup_is_followed_and_remembered(make_machine, clock):
    telegram = StrictTelegram(clock, telegram_chat="upgraded")
    machine = make_machine(telegram)
    machine.report(alert("a"))
    machine.run(3)

    machine.start()
    machine.run(35)
    machine.report(alert("b", at=clock()))
    machine.run(3)

    assert [status for _, _, status in telegram.calls] == [400, 200, 200]
    assert {message["chat_id"] for message in telegram.messages} == {-1001234567892}


def test_a_topic_that_is_gone_is_left_out_once_and_for_all(make_machine, clock, telegram):
    machine = make_machine(telegram, thread_id=999)
    machine.report(alert("a"), alert("b"))

    machine.run(5)

    assert [status for _, _, status in telegram.calls] == [400, 200, 200]
    assert len(telegram.texts) == 2


def test_more_than_twenty_different_alerts_are_a_digest_that_counts_every_one(machine, telegram, clock):
    for number in range(50):
        for _ in range(3):
            machine.report(alert(f"kind{number:02}"))

    machine.run(75)

    first = telegram.texts[0]
    assert "50 alerts in a short time" in first
    assert "×150 in all" in first
    assert all(f"kind{number:02} failed" in first for number in range(20))
    assert len(telegram.texts) <= 3


def test_twenty_are_told_one_by_one_at_the_pace_that_a_group_takes(machine, telegram, clock):
    for number in range(20):
        machine.report(alert(f"kind{number:02}"))

    machine.run(3 * MINUTE)

    assert {status for _, _, status in telegram.calls} == {200}
    assert len(telegram.texts) == 20
    sent = telegram.sent_at
    assert all(sum(1 for at in sent if 0 <= at - begin < MINUTE) <= 20 for begin in sent)


def test_what_could_not_be_told_for_an_hour_is_one_summary(machine, telegram, clock):
    telegram.fault = lambda _method: "dns"
    for number in range(12):
        machine.report(alert(f"kind{number:02}", at=clock()))
        machine.run(2 * MINUTE, step=20)
    machine.run(HOUR, step=20)
    machine.report(alert("new", at=clock()))
    telegram.fault = lambda _method: None

    machine.run(2 * MINUTE)

    assert "12 alerts that could not be sent for an hour or more" in telegram.texts[0]
    assert telegram.texts[1].endswith("new failed")
    assert len(telegram.texts) == 2


def test_the_gravest_goes_first(machine, telegram):
    machine.report(alert("a"), alert("b", level=AlertLevel.CRITICAL))

    machine.run(3)

    assert [text.splitlines()[0] for text in telegram.texts] == ["🚨 CRITICAL", "❌ ERROR"]


def test_a_silenced_component_is_not_told_of_and_what_comes_again_later_is(machine, telegram, clock):
    machine.silences.create("shop", clock() + HOUR, "stock-taking", clock())
    machine.report(alert("during"), alert("goes on"), alert("other", component="warehouse"))
    machine.run(HOUR + 20, step=20)
    assert [text.splitlines()[-1] for text in telegram.texts] == ["other failed"]

    machine.report(alert("goes on", at=clock()))
    machine.run(10)

    assert len(telegram.texts) == 2
    assert "goes on failed" in telegram.texts[-1]
    assert machine.queries.counts(clock()).pending == 0


def test_a_silence_can_be_ended_before_its_time(machine, telegram, clock):
    machine.silences.create("all", clock() + HOUR, "stock-taking", clock())
    machine.run(5)

    ended = machine.silences.expire("all", clock())
    machine.report(alert("after", at=clock.forward(1)))
    machine.run(5)

    assert (ended, len(telegram.texts)) == (1, 1)


def test_a_state_is_told_when_it_begins_and_when_it_is_over_with_how_long_it_was(machine, telegram, clock):
    machine.report(alert("state", state="disk:var", summary="Disk space of var: 95% used", component="resources"))
    machine.run(2 * HOUR + 5 * MINUTE, step=20)

    again = "Disk space of var is at 84% again since 14:00 UTC. It was over 90% for 2 h."
    machine.report(alert("state", state="disk:var", is_resolved=True, summary=again, at=clock()))
    machine.run(5)

    assert len(telegram.texts) == 2
    assert telegram.texts[1] == (
        f"✅ RESOLVED\nComponent: resources\nTime: 2025-10-02 14:05:00 UTC\n\n{again}\n"
        "Before: Disk space of var: 95% used"
    )


def test_a_state_that_goes_on_is_told_again_every_four_hours(machine, telegram):
    machine.report(alert("state", state="disk:var"))

    machine.run(9 * HOUR, step=120)

    assert len(telegram.texts) == 3


def test_a_state_that_came_and_went_while_nothing_could_be_sent_is_one_message(machine, telegram, clock):
    telegram.fault = lambda _method: "dns"
    machine.report(alert("state", state="memory"))
    machine.run(5 * MINUTE)
    machine.report(alert("state", state="memory", is_resolved=True, summary="Memory is at 80% again.", at=clock()))
    machine.run(MINUTE)
    telegram.fault = lambda _method: None

    machine.run(2 * MINUTE)

    [text] = telegram.texts
    assert text.splitlines()[4] == "state failed"
    assert text.endswith("\n\nResolved: Memory is at 80% again.")


def test_what_a_database_that_is_gone_explains_is_not_told_beside_that(machine, telegram, clock):
    machine.report(alert("query", inhibited_by="database"))
    machine.run(12)
    machine.report(
        alert("gone", state="database", component="database", summary="The database does not answer.", at=clock())
    )
    machine.run(3)
    for _ in range(5):
        machine.report(alert("query", inhibited_by="database", at=clock.forward(1)))
    machine.run(MINUTE)
    assert len(telegram.texts) == 1

    machine.report(alert("gone", state="database", is_resolved=True, at=clock()))
    machine.run(5)

    assert telegram.texts[1].endswith("6 related alerts suppressed.")
    assert len(telegram.texts) == 2


def test_a_failed_query_without_a_database_that_is_gone_is_told_after_half_a_minute(machine, telegram):
    machine.report(alert("query", inhibited_by="database"))

    machine.run(29)
    assert telegram.texts == []
    machine.run(3)

    assert len(telegram.texts) == 1


def test_what_goes_on_after_the_database_has_come_back_is_told(machine, telegram, clock):
    machine.report(alert("gone", state="database"), alert("query", inhibited_by="database"))
    machine.run(MINUTE)
    machine.report(alert("gone", state="database", is_resolved=True, at=clock()))
    machine.run(2 * MINUTE)

    machine.report(alert("query", inhibited_by="database", at=clock()))
    machine.run(MINUTE)

    assert len(telegram.texts) == 3
    assert "query failed" in telegram.texts[2]


def test_a_message_that_was_deleted_is_not_edited_any_more(machine, telegram, clock):
    machine.report(alert())
    machine.run(2)
    telegram.fake._messages._messages.clear()
    machine.report(alert(at=clock()))

    machine.run(5 * MINUTE)

    assert [method for _, method, _ in telegram.calls] == ["sendMessage", "editMessageText"]


def test_a_long_text_is_cut_and_follows_as_a_file(machine, telegram):
    machine.report(alert(summary="и" * 10_000, stack="Traceback\n" * 100_000))

    machine.run(5)

    assert [method for _, method, _ in telegram.calls] == ["sendMessage", "sendDocument"]
    assert len(telegram.texts[0]) <= 4096


def test_the_failing_line_and_the_message_are_one_trace(machine, telegram):
    machine.report(alert(trace_id="a" * 32, span_id="b" * 16, is_sampled=True))

    machine.run(2)

    [span] = [each for each in machine.measured.spans.get_finished_spans() if each.name == "alert alert"]
    assert format(span.context.trace_id, "032x") == "a" * 32
    assert format(span.parent.span_id, "016x") == "b" * 16
    assert span.attributes["messaging.message.id"] == str(telegram.messages[0]["message_id"])


def test_the_span_of_a_message_goes_out_though_the_dispatcher_s_own_work_is_not_traced(machine, telegram):
    measured = machine.measured
    measured.tracers = TracerProvider(sampler=JobSampler(ParentBased(ALWAYS_OFF)), shutdown_on_exit=False)
    measured.tracers.add_span_processor(SimpleSpanProcessor(measured.spans))
    machine.start()
    machine.report(alert(trace_id="a" * 32, span_id="b" * 16, is_sampled=True))

    token = context.attach(suppressed_context())
    machine.run(2)
    context.detach(token)

    assert [each.name for each in machine.measured.spans.get_finished_spans()] == ["alert alert"]


def test_the_delay_and_what_became_of_each_message_are_measured(machine, telegram, clock):
    machine.report(alert())
    clock.forward(3)
    telegram.fault = lambda _method: "dns"
    machine.dispatcher.step()
    telegram.fault = lambda _method: None
    machine.run(10)

    assert machine.measured.points("alert.sends") == {("telegram", "failed"): 1, ("telegram", "sent"): 1}
    [delay] = machine.measured.points("alert.delivery.delay").values()
    assert 3 <= delay.sum <= 7


def test_an_outbox_from_which_nobody_reads_for_long_stays_small(machine, telegram, clock):
    for day in range(40):
        machine.report(alert(f"day{day}", at=clock()))
        machine.run(MINUTE)
        clock.forward(timedelta(days=1).total_seconds())

    machine.run(5)

    assert len(machine.queries.page(clock(), limit=500)) <= 31


def test_nothing_is_sent_while_another_process_sends(machine, make_machine, telegram, clock):
    assert machine.leases.acquire("sender", "another", clock(), 30)
    machine.report(alert())

    machine.run(20)

    assert telegram.texts == []
    machine.leases.release("another")
    machine.run(3)
    assert len(telegram.texts) == 1


def test_after_an_hour_without_telegram_and_two_restarts_everything_arrives_once_and_the_old_as_one(
    machine, telegram, clock
):
    telegram.fault = lambda _method: "dns"
    for number in range(30):
        machine.report(alert(f"kind{number:02}", at=clock()))
        machine.deduplicator.flush()
        machine.run(2.5 * MINUTE, step=5)
        if number in {10, 20}:
            machine.start()
    telegram.fault = lambda _method: None

    machine.run(5 * MINUTE)

    texts = telegram.texts
    assert all(sum(f"kind{number:02} failed" in text for text in texts) == 1 for number in range(30))
    assert "alerts that could not be sent for an hour or more" in texts[0]
    assert "Possible duplicate" not in "".join(texts)


def test_a_state_that_came_and_went_with_the_database_is_muted_and_forgotten(machine, telegram, clock):
    machine.report(alert("gone", state="database"))
    machine.report(alert("missed", state="missed:sync", inhibited_by="database", at=clock()))
    machine.run(MINUTE)
    for name, state in (("missed", "missed:sync"), ("gone", "database")):
        machine.report(alert(name, state=state, is_resolved=True, at=clock()))
    machine.run(3 * MINUTE, step=5)

    counts = machine.queries.counts(clock())
    assert [text.splitlines()[0] for text in telegram.texts] == ["❌ ERROR", "✅ RESOLVED"]
    assert (counts.pending, counts.inhibited) == (0, 0)


def test_how_often_it_was_tried_and_why_it_failed_is_known(machine, telegram, clock):
    machine.report(alert())
    telegram.fault = lambda _method: "dns"
    machine.run(20)
    [pending] = machine.queries.page(clock())
    telegram.fault = lambda _method: None
    machine.run(60)

    [sent] = machine.queries.page(clock())
    assert pending.incident.attempts >= 3
    assert pending.incident.last_error == "telegram cannot be reached: the host name is not known"
    assert (sent.incident.attempts, sent.incident.last_error) == (pending.incident.attempts + 1, None)


def test_a_command_beside_a_service_that_sends_does_not_undo_that_a_channel_is_stopped(make_machine, clock):
    telegram = StrictTelegram(clock, telegram_chat="blocked")
    machine = make_machine(telegram)
    machine.report(alert())
    machine.run(5)

    machine.start()  # while the first one holds the lease
    machine.run(5)

    assert machine.notifications.channel("telegram").disabled_reason is not None
    assert len(telegram.calls) == 1


def statements_of(outbox):
    """The SQL of this process from now on."""
    seen = []
    with outbox.read() as connection:
        connection.set_trace_callback(seen.append)
    return seen


def test_an_idle_sender_asks_for_the_version_each_second_and_writes_only_its_lease(machine):
    machine.run(5)
    seen = statements_of(machine.outbox)

    machine.run(60)

    assert sum("data_version" in each for each in seen) >= 58
    assert sum(each == "BEGIN IMMEDIATE" for each in seen) == 4
    assert sum(each == "BEGIN" for each in seen) <= 16


def test_a_process_that_does_not_send_writes_nothing(machine, clock):
    machine.leases.acquire("sender", "another", clock(), 30)
    machine.run(5)
    seen = statements_of(machine.outbox)

    machine.run(20)

    assert "BEGIN IMMEDIATE" not in seen
    assert sum(each == "BEGIN" for each in seen) <= 3


def test_an_alert_of_another_process_is_noticed_within_a_second_by_an_idle_sender(machine, telegram, clock):
    machine.run(25)
    other = Outbox(machine.path)

    IncidentRepository(other).add(alert(at=clock()))
    machine.run(1.25)

    assert len(telegram.texts) == 1
    other.close()


def test_a_sender_that_was_suspended_between_its_plan_and_the_send_does_not_send(machine, telegram, clock):
    calls = []

    def suspended():
        """The clock of a process that stands still after its first look at the time, for longer than its lease."""
        calls.append(clock.forward(31 if len(calls) == 1 else 0))
        return calls[-1]

    machine.report(alert())
    delivery = machine.measured.delivery()
    dispatcher = Dispatcher(machine.outbox, machine.channels, delivery, Sender("suspended", suspended))

    assert dispatcher.step() == 0.0
    assert telegram.calls == []
    machine.run(3)
    assert len(telegram.texts) == 1


def test_neither_does_it_edit(machine, telegram, clock):
    machine.report(alert())
    machine.run(70)
    machine.report(alert(at=clock()))
    machine.deduplicator.flush()
    machine.dispatcher.release()
    calls = []

    def suspended():
        calls.append(clock.forward(31 if len(calls) == 1 else 0))
        return calls[-1]

    delivery = machine.measured.delivery()
    dispatcher = Dispatcher(machine.outbox, machine.channels, delivery, Sender("suspended", suspended))

    assert dispatcher.step() == 0.0
    assert [method for _, method, _ in telegram.calls] == ["sendMessage"]


def test_of_two_processes_that_find_the_lease_free_one_sends(machine, telegram, clock):
    class Slow(Outbox):
        """Another process acquires the lease between the read of this one and its write."""

        def transaction(self):
            machine.leases.acquire("sender", "faster", clock(), 30)
            return super().transaction()

    slow = Slow(machine.path)
    machine.report(alert())
    dispatcher = Dispatcher(slow, machine.channels, machine.measured.delivery(), Sender("slow", clock))

    assert dispatcher.step() == 2.0
    dispatcher.release()

    assert telegram.calls == []
    assert not machine.leases.acquire("sender", "third", clock(), 30)
    slow.close()
