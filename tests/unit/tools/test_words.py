"""Long sentences, chains of passives and the words of no field are found, wherever people read them."""

import pytest

from tools.words import MAX_WORDS, findings, sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The service answers.", 0),
        (" ".join(["word"] * (MAX_WORDS + 1)) + ".", 1),
        (" ".join(["word"] * MAX_WORDS) + ". " + "Another sentence.", 0),
        ("Nobody ran the schedule.", 1),
        ("The alert `told_count` is a name in code.", 0),
        ("```\nnobody reads code\n```", 0),
        ("| column | Whoever reads this |\n| --- | --- |", 1),
        ("It was stopped, was moved and has been deleted.", 1),
        ("It was stopped and has been deleted.", 0),
        ("[Nobody](https://shop.example) reads links' addresses.", 1),
    ],
)
def test_each_sentence_that_is_hard_to_read_is_one_finding(text, found):
    assert len(list(findings("page", text))) == found


def test_lists_headings_and_tables_are_sentences_of_their_own():
    text = "# Heading\n\nOne thing. Another one:\n\n- first\n- second\n\n| a | b |\n| --- | --- |\n"

    assert list(sentences(text)) == ["One thing.", "Another one:", "first", "second", "a", "b", "---", "---"]
