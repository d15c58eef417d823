"""Checks a draft: what keeps it from being published as it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from service import names
from service.advice import prompt
from service.advice.checks.answer_language import is_in_another_language
from service.advice.checks.hidden_characters import has_hidden_characters
from service.advice.checks.link_check import has_email, has_link
from service.advice.checks.markup_check import has_markup
from service.advice.checks.personal_data import has_personal_data
from service.advice.checks.phone_check import has_phone
from service.advice.checks.profanity import has_profanity
from service.advice.checks.promise_check import has_promise
from service.advice.checks.prompt_leak import repeats_prompt
from service.advice.checks.readable_text import MAX_CHECKED, ReadableText
from service.advice.outcomes import DRAFTED, HELD, Draft
from service.advice.prompt import ReviewForPrompt

MIN_ANSWER_LENGTH: Final = 2
"""Characters: no marketplace takes a shorter answer."""
_CHECKS: Final[Mapping[str, tuple[Callable[[ReadableText], bool], str]]] = {
    names.LINK: (has_link, "a link or a way to an account elsewhere"),
    names.PHONE: (has_phone, "a telephone number"),
    names.EMAIL: (has_email, "an e-mail address"),
    names.PROMISE: (has_promise, "a promise of money, a discount or a gift"),
    names.PERSONAL_DATA: (has_personal_data, "personal data"),
    names.PROMPT_LEAK: (repeats_prompt, "words of the model's instructions, or of a model about itself"),
    names.MARKUP: (has_markup, "markup or a placeholder"),
    names.HIDDEN: (has_hidden_characters, "invisible characters or direction marks"),
    names.LENGTH: (lambda draft: not MIN_ANSWER_LENGTH <= len(draft.text.strip()) <= draft.max_length, "its length"),
    names.LANGUAGE: (is_in_another_language, "another language than the review's"),
    names.PROFANITY: (has_profanity, "swearing"),
}


def failed_checks(text: str, subject: ReviewForPrompt, max_length: int) -> list[str]:
    """The reasons of `names.CHECKS` why a draft is not fit to be published; none if it is.

    Args:
        text: the draft.
        subject: the review that it answers.
        max_length: characters that the draft may have, as the model was told.
    """
    draft = ReadableText(text, subject, prompt.instructions(max_length), max_length)
    return [reason for reason, (fails, _) in _CHECKS.items() if fails(draft)]


def checked(draft: Draft, subject: ReviewForPrompt, max_length: int) -> Draft:
    """The draft; held, with the reasons, if it fails a check. Of a very long text only the beginning is kept."""
    if draft.outcome != DRAFTED or draft.text is None:
        return draft
    reasons = failed_checks(draft.text, subject, max_length)
    if not reasons:
        return draft
    return replace(
        draft, outcome=HELD, text=draft.text[:MAX_CHECKED], reason=describe(reasons), failed_checks=tuple(reasons)
    )


def describe(reasons: Sequence[str]) -> str:
    """A sentence for the seller."""
    return f"The draft is held because of: {'; '.join(_CHECKS[reason][1] for reason in reasons)}."
