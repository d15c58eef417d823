"""The bot of a machine, as operators use it, against the sandbox's strict Telegram."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from service.sandbox.telegram.chats import PRIVATE_CHAT, UPGRADED_CHAT
from service.sandbox.telegram.phone_users import PEOPLE
from telemetry.alerts.channels.telegram import Bot
from telemetry.alerts.rendering.message import Links
from telemetry.alerts.telegram_updates.operator_bot import BotContext, OperatorBot
from telemetry.alerts.telegram_updates.phone_command import PhoneCommand
from telemetry.alerts.telegram_updates.poller import PollingLease
from tests.support.telegram_server import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN, URL, Killed
from tests.unit.telemetry.alerts.conftest import alert

OLGA, PETR, STRANGER = PEOPLE
ACK, MUTE_1, MUTE_8, RUN = (0, 0), (1, 0), (1, 1), (2, 0)
OF_OLGA, OF_PETR = f"telegram:{OLGA} (@olga_shop)", f"telegram:{PETR} (@petr_shop)"


class Phone:
    """The machine's bot, and what people do with it."""

    def __init__(self, machine: Any, telegram: Any, **context: Any) -> None:
        self.machine, self.telegram = machine, telegram
        self.runs: list[tuple[str, str]] = []
        self._context = context
        machine.make_dispatcher(Links(has_buttons=True, runs_jobs=True))
        self.bot = self.make_bot()

    def make_bot(self, holder: str = "process", **bot: Any) -> OperatorBot:
        """The bot of a process."""
        given: dict[str, Any] = {"token": SecretStr(TELEGRAM_TOKEN), "chat_id": TELEGRAM_CHAT_ID, "api_url": URL}
        context = BotContext(
            self.machine.outbox,
            self.machine.measured.meter,
            self.machine.clock,
            lambda: holder,
            poll_seconds=0,
            channels=["telegram"],
        )
        made = OperatorBot(Bot(**given | bot), replace(context, **self._context), self.telegram.client())
        made.add([PhoneCommand("run", "run a job now", self._run, "NAME", changes=True)])
        return made

    def _run(self, job: str, by: str) -> str:
        self.runs.append((job, by))
        return f"{job} was started by {by}."

    def fire(self, **values: Any) -> int:
        """Send an alert about a failed job. Returns the number of its message."""
        self.machine.report(alert(**{"state": "job:sync"} | values))
        self.machine.run(3)
        return max(each.message_id for each in self.telegram.fake._messages if each.keyboard)

    def press(self, person: int, message: int, button: tuple[int, int]) -> str | None:
        """Press a button, and let the bot read that. Returns its answer."""
        query_id = self.telegram.fake.inbox.press(person, message, *button)
        self.bot.step()
        self.machine.run(3)
        answer: str | None = self.telegram.fake._updates.query(query_id).answer
        return answer

    def write(self, text: str, person: int = OLGA, chat: int = int(TELEGRAM_CHAT_ID)) -> list[str]:
        """Send a message, and let the bot read that. Returns what it answers."""
        before = len(self.telegram.texts)
        self.telegram.fake.inbox.write(person, text, chat)
        self.bot.step()
        self.machine.run(2)
        found: list[str] = self.telegram.texts[before:]
        return found

    def message(self, number: int) -> Any:
        return next(each for each in self.telegram.fake._messages if each.message_id == number)

    def buttons(self, number: int) -> list[list[str]]:
        return [[button["text"] for button in row] for row in self.message(number).keyboard]

    def counted(self) -> dict[tuple[Any, ...], Any]:
        return self.machine.measured.points("telegram.updates")


@pytest.fixture
def phone(machine, telegram):
    return Phone(machine, telegram)


def test_an_alert_has_buttons_and_that_of_a_failed_job_can_run_it_again(phone):
    of_job = phone.fire()
    of_error = phone.fire(fingerprint="other", state="")

    assert phone.buttons(of_job) == [["Acknowledge"], ["Silence 1 h", "Silence 8 h"], ["Run again"]]
    assert phone.buttons(of_error) == [["Acknowledge"], ["Silence 1 h", "Silence 8 h"]]


def test_many_alerts_in_one_message_have_no_buttons(phone):
    phone.machine.report(*(alert(f"alert {number}") for number in range(30)))
    phone.machine.run(120)

    digest = next(each for each in phone.telegram.fake._messages if "alerts in a short time" in each.text)
    assert digest.keyboard == []


def test_a_person_acknowledges_an_alert_and_the_message_says_who(phone):
    number = phone.fire()

    answer = phone.press(OLGA, number, ACK)

    assert answer == "Acknowledged."
    assert f"Acknowledged by {OF_OLGA}, 12:00 UTC" in phone.message(number).text
    assert phone.buttons(number)[0] == ["✓ Acknowledged"]
    assert phone.machine.queries.page(phone.machine.clock())[0].incident.acknowledged_by == OF_OLGA
    assert phone.counted() == {("button", "done"): 1}


def test_an_alert_is_acknowledged_once_whoever_presses_again(phone):
    number = phone.fire()
    phone.press(OLGA, number, ACK)

    answers = [phone.press(person, number, ACK) for person in (OLGA, PETR)]

    assert answers == [f"Acknowledged already by {OF_OLGA}, 12:00 UTC."] * 2
    assert phone.message(number).text.count("Acknowledged by") == 1
    assert phone.counted() == {("button", "done"): 1, ("button", "ignored"): 2}


def test_a_component_is_silenced_once_and_a_longer_silence_replaces_a_shorter_one(phone):
    number = phone.fire()

    answers = [phone.press(person, number, MUTE_1) for person in (OLGA, PETR)]
    answers.append(phone.press(PETR, number, MUTE_8))

    assert answers == [
        "shop is silenced until 13:00 UTC.",
        "shop is silenced already, until 13:00 UTC.",
        "shop is silenced until 20:00 UTC.",
    ]
    assert f"Silenced until 20:00 UTC by {OF_PETR}" in phone.message(number).text
    assert [each.reason for each in phone.machine.silences.active(phone.machine.clock())] == [
        f"by {OF_OLGA}",
        f"by {OF_PETR}",
    ]


def test_a_job_is_run_again_once_for_two_people_and_again_later(phone):
    number = phone.fire()

    answers = [phone.press(person, number, RUN) for person in (OLGA, PETR)]
    phone.machine.run(61)
    answers.append(phone.press(PETR, number, RUN))

    assert answers == ["Starting sync …", f"sync was started a moment ago by {OF_OLGA}.", "Starting sync …"]
    assert phone.runs == [("sync", OF_OLGA), ("sync", OF_PETR)]
    assert f"sync was started by {OF_OLGA}." in phone.telegram.texts


def test_a_press_that_is_too_old_to_be_answered_runs_no_job(phone):
    number = phone.fire()
    phone.telegram.fake.inbox.press(OLGA, number, *RUN)
    phone.machine.clock.forward(31)

    phone.bot.step()

    assert phone.runs == []
    assert phone.telegram.texts[-1] == "Not run: the button was pressed while nobody listened. Press it again."
    assert phone.counted() == {("button", "late"): 1}


def test_an_acknowledgement_counts_also_if_it_is_too_late_to_answer(phone):
    number = phone.fire()
    phone.telegram.fake.inbox.press(OLGA, number, *ACK)
    phone.machine.clock.forward(31)

    phone.bot.step()
    phone.machine.run(3)

    assert f"Acknowledged by {OF_OLGA}" in phone.message(number).text
    assert phone.counted() == {("button", "done"): 1}


def test_an_alert_that_has_ended_has_no_buttons_and_an_old_press_does_nothing(phone):
    number = phone.fire()
    phone.telegram.fake.inbox.press(OLGA, number, *ACK)
    phone.machine.report(alert(state="job:sync", is_resolved=True))
    phone.machine.run(3)

    phone.bot.step()

    assert phone.buttons(number) == []
    assert phone.machine.queries.page(phone.machine.clock())[0].incident.acknowledged_at is None
    assert phone.counted() == {("button", "ignored"): 1}


def test_a_press_under_an_alert_that_is_forgotten_says_so(phone):
    number = phone.fire()
    with phone.machine.outbox.transaction() as connection:
        connection.execute("DELETE FROM incidents")

    answer = phone.press(OLGA, number, ACK)

    assert answer == "This machine does not know the alert: it was deleted, or another machine has sent it."


def test_another_alert_with_the_same_number_is_not_meant(phone):
    number = phone.fire()
    with phone.machine.outbox.transaction() as connection:
        connection.execute("UPDATE incidents SET first_at = first_at + 60")

    phone.press(OLGA, number, ACK)

    assert phone.machine.queries.page(phone.machine.clock())[0].incident.acknowledged_at is None


def test_a_stranger_gets_no_answer_and_is_reported_once_a_day(machine, telegram, caplog):
    phone = Phone(machine, telegram, operators=frozenset({OLGA, PETR}))
    number = phone.fire()

    answers = [phone.press(STRANGER, number, button) for button in (ACK, RUN)]
    replies = [*phone.write("/run sync", STRANGER), *phone.write("/help", STRANGER, PRIVATE_CHAT)]
    machine.clock.forward(86_401)
    phone.write("hello", STRANGER, PRIVATE_CHAT)

    reports = [each for each in caplog.records if "may not use the Telegram bot" in each.message]
    assert (answers, replies, phone.runs) == ([None, None], [], [])
    assert machine.queries.page(machine.clock())[0].incident.acknowledged_at is None
    assert len(reports) == 2
    assert phone.counted() == {("button", "refused"): 2, ("command", "refused"): 3}


def test_without_a_list_of_operators_everybody_in_the_chat_is_one_and_nobody_elsewhere(phone):
    in_chat, elsewhere = phone.write("/silences", STRANGER), phone.write("/silences", STRANGER, PRIVATE_CHAT)

    assert (in_chat, elsewhere) == (["Nothing is silenced."], [])


def test_commands_are_answered_and_texts_and_other_bots_commands_are_not(phone):
    phone.fire()

    assert phone.write("/alerts@sandbox_alerts_bot")[0].endswith("(sent)")
    assert "Alerts: 1 firing" in phone.write("/STATUS")[0]
    assert phone.write("/run")[0] == "Usage: /run NAME"
    assert phone.write("/what")[0].startswith("Unknown command.\n/status: ")
    assert "/run NAME: run a job now" in phone.write("/help")[0]
    assert phone.write("/run@other_bot sync") == phone.write("good morning") == []
    assert phone.runs == []


def test_a_command_that_waited_for_long_changes_nothing(phone):
    phone.telegram.fake.inbox.write(OLGA, "/run sync")
    phone.machine.clock.forward(301)

    phone.bot.step()

    assert phone.runs == []
    assert phone.telegram.texts[-1].startswith("Not executed: the command is 5 min")
    assert phone.counted() == {("command", "late"): 1}


def test_a_command_that_fails_is_answered(phone):
    def fail(_argument: str, _by: str) -> str:
        raise ValueError("secret of the service")

    phone.bot.add([PhoneCommand("run", "run", fail, "NAME")])

    assert phone.write("/run sync") == ["/run failed: ValueError"]
    assert phone.counted() == {("command", "failed"): 1}


def test_secrets_and_markup_in_an_answer_do_no_harm(phone):
    phone.bot.add(
        [PhoneCommand("show", "show", lambda _argument, _by: "<b>x</b> password=hunter2hunter2 " + "я" * 5000)]
    )

    answer = phone.write("/show")[0]

    assert answer.startswith("<b>x</b> ")
    assert "hunter2" not in answer
    assert len(answer) == 4096


@pytest.mark.parametrize("killed_at", ["before", "after"])
def test_a_process_that_is_killed_runs_no_job_twice(phone, killed_at):
    calls = iter(range(1000))
    phone.telegram.fake.inbox.write(OLGA, "/run sync")
    confirmation = 2  # after getMe and setMyCommands come the poll, and the confirmation of what it brought

    def fault(method: str) -> str | None:
        return f"killed {killed_at}" if method == "getUpdates" and next(calls) == confirmation - 1 else None

    phone.telegram.fault = fault
    with pytest.raises(Killed):
        phone.bot.step()
    phone.telegram.fault = lambda _method: None
    phone.machine.clock.forward(61)

    successor = phone.make_bot("successor")
    for _ in range(3):
        successor.step()

    assert len(phone.runs) == (1 if killed_at == "before" else 0)


def test_a_process_that_is_killed_after_a_run_has_begun_does_not_repeat_it(phone):
    phone.telegram.fake.inbox.write(OLGA, "/run sync")
    phone.telegram.fault = lambda method: "killed before" if method == "sendMessage" else None
    with pytest.raises(Killed):
        phone.bot.step()
    phone.telegram.fault = lambda _method: None
    phone.machine.clock.forward(61)

    phone.make_bot("successor").step()

    assert [job for job, _by in phone.runs] == ["sync"]


def test_of_two_processes_of_a_machine_one_reads_until_it_stops(phone):
    other = phone.make_bot("other")
    phone.bot.step()
    phone.telegram.fake.inbox.write(OLGA, "/silences")

    other.step()
    unread = list(phone.telegram.texts)
    phone.bot.stop()
    successor = phone.make_bot("other")
    successor.step()

    assert (unread, phone.telegram.texts) == ([], ["Nothing is silenced."])


def test_a_machine_without_the_shared_lease_reads_nothing(phone):
    released = []
    phone.bot.share(PollingLease(lambda: False, lambda: released.append(True)))

    assert phone.write("/silences") == []
    phone.bot.stop()
    assert released == [True]


def test_a_group_that_became_a_supergroup_is_still_the_managers_chat(phone):
    phone.fire()
    phone.telegram.upgrade_chat()
    phone.fire(fingerprint="later")

    assert phone.write("/silences", OLGA, UPGRADED_CHAT) == ["Nothing is silenced."]


def test_a_name_that_a_person_has_chosen_cannot_break_a_message(phone, monkeypatch):
    monkeypatch.setitem(PEOPLE, OLGA, replace(PEOPLE[OLGA], first_name="<b>\n\u202e" + "x" * 99, username=""))
    number = phone.fire()

    phone.press(OLGA, number, ACK)

    line = phone.message(number).text.rpartition("Acknowledged by ")[2]
    assert line.startswith(f"telegram:{OLGA} (<b> ")
    assert len(line) < 150
    assert "\n" not in line


def test_an_outage_of_telegram_is_logged_once_and_waited_out(phone, caplog):
    caplog.set_level(logging.INFO)
    phone.telegram.fault = lambda _method: "dns"

    for _ in range(5):
        phone.bot.step()

    lines = [each.message for each in caplog.records if "updates of the Telegram bot" in each.message]
    assert len(lines) == 1
    assert len([call for call in phone.telegram.calls if call[1] == "getUpdates"]) == 0
