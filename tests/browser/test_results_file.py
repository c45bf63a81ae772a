"""What the viewer of the paper can do, done here with a results file in its format: filter, page, read one example."""

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.paper import ORDINARY, PASSAGES, records, stated

LIST = "/prompts?run=paper-trackstar"
EXAMPLE = "/runs/paper-trackstar/prompts/trex-groundtruth-000000006"
PRESETS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Correct": lambda r: r["is_8b_correct"],
    "Correct and confident": lambda r: r["is_8b_correct"] and r["8b_confidence"] > 0.5,
    "Common": lambda r: r["c4_frequency_bucket"] >= 3,
    "Most common": lambda r: r["c4_frequency_bucket"] >= 5,
    "Confident": lambda r: r["8b_confidence"] > 0.5,
}


def ordinary() -> list[dict[str, Any]]:
    return records("trackstar")[:ORDINARY]


def shown(page: Page) -> int:
    """How many prompts the sentence above the list counts."""
    return int(re.match(r"[\d,]+", page.locator(".sentence").inner_text())[0].replace(",", ""))


def test_every_ready_made_filter_keeps_what_it_says(plain_page: Page, paper: str) -> None:
    page = plain_page
    for name, keeps in PRESETS.items():
        page.goto(paper + LIST)
        page.locator(".presets-line").get_by_role("link", name=name, exact=True).click()
        assert shown(page) == sum(map(keeps, ordinary())), name
        chosen = page.locator(".presets-line [aria-current]")
        expect(chosen).to_have_text(name)
        chosen.click()
        assert shown(page) == len(records("trackstar"))


def test_an_expression_in_the_viewers_own_words_filters(plain_page: Page, paper: str) -> None:
    """Its field names and signs are read as they are; what cannot be read is said, with the place, and can be mended."""
    page = plain_page
    page.goto(paper + LIST)
    box = page.get_by_role("combobox", name="Expression")
    box.fill("ex.is_8b_correct && ex.c4_frequency > 100 && !ex.has_trex_sentence")
    page.get_by_role("button", name="Show", exact=True).click()
    wanted = [r for r in ordinary() if r["is_8b_correct"] and r["c4_frequency"] > 100]
    assert shown(page) == sum(not r["has_trex_sentence"] for r in wanted)
    box.fill("is_8b_correct and confidense > 0.5")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Did you mean confidence")
    expect(box).to_have_value("is_8b_correct and confidense > 0.5")
    box.fill("is_8b_correct and confidence > 0.5")
    page.get_by_role("button", name="Show", exact=True).click()
    assert shown(page) == sum(r["is_8b_correct"] and r["8b_confidence"] > 0.5 for r in ordinary())


def test_every_facet_shows_as_many_as_it_counts(page: Page, paper: str) -> None:
    """Relation, frequency, answer right, stated passage and best AIS of an imported file; and the runs beside them."""
    page.goto(paper + LIST)
    facets = page.locator(".facets section")
    names = [facets.nth(n).locator("h2").inner_text() for n in range(facets.count())]
    assert len(names) >= 5
    for name in names:
        page.goto(paper + LIST)
        choice = page.locator(".facets section", has=page.get_by_role("heading", name=name)).locator("li > a")
        promised = int(choice.last.locator(".num").inner_text())
        choice.last.click()
        assert shown(page) == promised, name
    page.goto(paper + LIST)
    page.get_by_role("navigation", name="Run").get_by_role("link", name="bm25").click()
    expect(page.locator(".sentence")).to_contain_text("in paper bm25")


def test_first_back_next_last_random_and_by_number(plain_page: Page, paper: str) -> None:
    """Over three pages of ninety-two prompts, each met once; then one by its number in this very order."""
    page = plain_page
    page.goto(f"{paper}{LIST}&sort=score")
    pager = page.get_by_role("navigation", name="Pages")
    lines = page.locator(".list-column .line")
    seen = lines.all_inner_texts()
    for _ in range(2):
        pager.get_by_role("link", name="Next").click()
        page.wait_for_load_state("domcontentloaded")
        seen += lines.all_inner_texts()
    assert len(set(seen)) == len(records("trackstar"))
    last = lines.all_inner_texts()
    pager.get_by_role("link", name="Back").click()
    assert lines.first.inner_text() == seen[40]
    pager.get_by_role("link", name="First").click()
    assert lines.first.inner_text() == seen[0]
    pager.get_by_role("link", name="Last").click()
    page.wait_for_load_state("domcontentloaded")
    assert lines.all_inner_texts() == last
    pager.get_by_label("Number of the prompt").fill("57")
    pager.get_by_role("button", name="Go", exact=True).click()
    assert page.locator("#prompt").inner_text().split() == seen[56].split()
    page.get_by_role("link", name="Random", exact=True).click()
    assert " ".join(page.locator("#prompt").inner_text().split())[:30] in {
        " ".join(each.split())[:30] for each in seen
    }


def test_the_order_can_be_chosen(page: Page, paper: str) -> None:
    page.goto(paper + LIST)
    page.get_by_label("Order").select_option("score")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_load_state("domcontentloaded")
    scores = [
        float(each.removeprefix("best score "))
        for each in page.locator(".chips .tag", has_text="best score").all_inner_texts()
    ]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 30


def test_the_numbers_are_those_of_the_filtered_prompts(page: Page, paper: str) -> None:
    """Counted again here from the records of the file."""
    page.goto(f"{paper}{LIST}&where=bucket+%3E%3D+3")
    kept = [r for r in ordinary() if r["c4_frequency_bucket"] >= 3]
    ranks = [r["proponent_correct"].index(True) + 1 if True in r["proponent_correct"] else None for r in kept]
    said = page.locator(".summary").inner_text()
    assert f"answered right {100 * sum(r['is_8b_correct'] for r in kept) / len(kept):.0f} %" in said
    assert f"MRR {sum(1 / rank for rank in ranks if rank) / len(kept):.3f}" in said
    assert f"recall@10 {sum(bool(rank) for rank in ranks) / len(kept):.3f}" in said


def test_the_sidebar_shows_best_scores_and_warns_where_no_passage_states_the_fact(
    page: Page, paper: str
) -> None:
    page.goto(paper + EXAMPLE)
    entries = page.locator("aside .prompt-list li")
    assert entries.count() >= 13
    for at in range(entries.count()):
        said = entries.nth(at).inner_text()
        made = ordinary()[int(re.search(r"number (\d+)", said)[1])]
        assert f"best score {made['proponent_scores'][0]:.3f}" in said
        assert ("none states it" in said) == (not stated(ordinary().index(made))), said


def test_no_warning_where_nobody_judged_the_passages(page: Page, paper: str) -> None:
    """A file without correctness and without AIS does not say that no passage states the fact."""
    page.goto(f"{paper}/runs/paper-trackstar/prompts/trex-groundtruth-hostile")
    expect(page.locator("main")).to_contain_text("The currency of Ghana")
    entry = page.locator("aside .prompt-list a[aria-current]")
    expect(entry).to_contain_text("best score 1.00")
    expect(entry).not_to_contain_text("none states it")
    expect(page.locator(".claim")).not_to_contain_text("None of those found")
    page.goto(f"{paper}{LIST}&q=Ghana")
    expect(page.locator(".list-column .prompt-list a")).to_have_count(1)
    expect(page.locator(".list-column")).not_to_contain_text("no retrieved passage states it")


def test_an_example_tells_all_that_its_record_says(page: Page, paper: str) -> None:
    """Prompt, prediction, confidence, ground truth, relation, frequency and bucket, samples folded and unfolded."""
    made = ordinary()[15]
    page.goto(f"{paper}/runs/paper-trackstar/prompts/trex-groundtruth-000000015")
    expect(page.locator("#prompt")).to_have_text(f"{made['inputs_plaintext']} {made['targets_plaintext']}")
    claim = page.locator(".claim")
    expect(claim).to_contain_text(f"Its confidence is {made['8b_confidence']:.2f}.")
    expect(claim).to_contain_text("The truth is “Reims”.")
    expect(claim).to_contain_text(f"{made['c4_frequency']:,} of its training passages state the truth.")
    expect(page.locator(".crumbs")).to_contain_text("place of birth")
    expect(page.locator(".samples summary")).to_contain_text(f"{made['targets_plaintext']} ×6")
    rare = page.locator(".samples li", has_text="Paris, Texas")
    expect(rare).not_to_be_visible()
    page.locator(".samples summary").click()
    expect(rare).to_be_visible()
    page.locator(".samples summary").click()
    expect(rare).not_to_be_visible()
    page.get_by_text("Record", exact=True).click()
    expect(page.locator("dl.record").last).to_contain_text("unknown_field")


def test_proponents_show_rank_original_rank_score_correctness_and_ais(page: Page, paper: str) -> None:
    """And the best window is marked; chips tell by form, not only by colour, and jump."""
    made = ordinary()[6]
    page.goto(paper + EXAMPLE)
    cards = page.locator("section.proponent")
    expect(cards).to_have_count(PASSAGES)
    for at in range(PASSAGES):
        said = cards.nth(at).inner_text()
        assert cards.nth(at).locator(".rank").inner_text() == str(at + 1)
        assert f"{made['proponent_scores'][at]:.3f}" in said
        assert f"was {made['proponent_ranks'][at]}" in said
        assert f"AIS {made['proponent_ais_scores'][at]:.2f}" in said.replace("\n", " ")
        assert ("states the truth" in said.lower()) == made["proponent_correct"][at]
    window = "".join(cards.first.locator("mark.window").all_inner_texts())
    assert window == made["proponent_ais_best_windows"][0]


def test_the_raw_json_of_the_page_is_one_click_away(page: Page, paper: str) -> None:
    page.goto(paper + EXAMPLE)
    page.get_by_role("link", name="JSON", exact=True).click()
    twin = json.loads(page.locator("body").inner_text())
    made = ordinary()[6]
    assert [card["text"] for card in twin["proponents"]] == made["proponents"]
    assert [card["score"] for card in twin["proponents"]] == made["proponent_scores"]
    assert twin["extra"]["unknown_field"] == made["unknown_field"]


def test_two_files_stand_side_by_side_on_the_same_example(page: Page, paper: str) -> None:
    page.goto(paper + EXAMPLE)
    page.get_by_role("link", name="Compare methods").click()
    sides = page.locator(".side")
    expect(sides).to_have_count(2)
    for side, method in zip(sides.all(), ("trackstar", "bm25"), strict=True):
        firsts = side.locator(".short .passage").all_inner_texts()
        assert firsts == records(method)[6]["proponents"]


def test_a_copied_link_restores_everything(
    page: Page, paper: str, context: BrowserContext, browser: Browser
) -> None:
    """Run, filter, order, example, side of the highlights, words picked, the passage jumped to: in another browser."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{paper}{LIST}&where=correct&sort=score")
    page.locator(".list-column .prompt-list a").nth(2).click()
    page.get_by_role("link", name="Verbatim").click()
    expect(page.locator("mark.verbatim").first).to_be_visible()
    page.locator("#prompt mark.target").click()
    page.wait_for_load_state("domcontentloaded")
    picked = page.locator("mark.picked")
    assert picked.count() >= PASSAGES
    page.locator("#p5 .rank").click()
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    stranger = browser.new_context()
    other = stranger.new_page()
    other.goto(link)
    expect(other.get_by_role("link", name="Verbatim")).to_have_attribute("aria-current", "true")
    assert other.locator("mark.picked").all_inner_texts() == picked.all_inner_texts()
    expect(other.locator("#p5")).to_be_in_viewport()
    neighbours = other.locator("aside .prompt-list a").all_inner_texts()
    assert neighbours == page.locator("aside .prompt-list a").all_inner_texts()
    other.get_by_role("link", name="this list").click()
    expect(other.locator(".sentence")).to_contain_text(
        "the model got right in paper trackstar, highest score first"
    )
    stranger.close()


def test_words_are_picked_across_other_highlights_and_kept_through_a_swap(page: Page, paper: str) -> None:
    """A phrase half of which is marked as the target is still one phrase; Back brings back what was picked then."""
    page.goto(paper + EXAMPLE)
    page.evaluate(
        """() => { const all = document.createRange(), line = document.querySelector('#prompt');
                   const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
                   while (texts.nextNode() && !texts.currentNode.data.includes('Painter'));
                   const text = texts.currentNode, from = text.data.indexOf('Painter');
                   all.setStart(text, from); all.setEnd(text, from + 7);
                   getSelection().removeAllRanges(); getSelection().addRange(all) }"""
    )  # no mouse: selected with the keyboard, or by touch
    expect(page.locator("mark.picked")).to_have_count(PASSAGES)
    expect(page.locator("#say")).to_contain_text(f"stands {PASSAGES} times")
    page.evaluate("getSelection().removeAllRanges()")
    page.get_by_role("link", name="Plain").click()
    expect(page.locator(".legend")).to_contain_text("Nothing is marked")
    expect(page.locator("mark.picked")).to_have_count(PASSAGES)
    assert "pick=Painter" in page.url
    page.locator("#prompt mark.target").click()
    expect(page.locator("mark.picked").first).to_have_text("Paris")
    page.go_back()
    expect(page.locator("#p1 mark.target").first).to_be_visible()
    assert {text.lower() for text in page.locator("mark.picked").all_inner_texts()} == {"painter"}
    page.get_by_role("button", name="Switch between light and dark").click()  # buttons live after Back, too
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.goto(f"{paper}{EXAMPLE}?pick=about%20Paris%20and")
    pieces = page.locator("#p1 mark.picked")
    assert "".join(pieces.all_inner_texts()) == "about Paris and"
    assert pieces.count() == 3
