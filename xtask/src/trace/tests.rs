use super::*;

const GOOD: &str = "\
# Negotiation

> The key words MUST and MAY are to be read as in BCP 14. The word `SHOULD` too.

**NEG-014** - Broker - If an offer has expired, the broker MUST refuse its acceptance
with reason `OFFER_EXPIRED`.
**NEG-015** - Party - A party MUST NOT sign what it has not read.

```text
MUST is only shown here
```
What an ADMIN_MUST be called is no rule, nor is what one may do.";

fn text(path: &str, content: &str) -> Text {
    Text { path: path.into(), content: content.into() }
}

/// A row for each attack, those of `rows` in place of the plain ones.
fn security(rows: &[(u32, &str)]) -> Text {
    let mut table = String::from("| attack | rules | what holds it off; it MUST |\n| --- | --- | --- |\n");
    for number in 1..=attacks::COUNT {
        let row =
            rows.iter().find(|(row, _)| *row == number).map_or("| NEG-014 | later: soon |", |(_, row)| row);
        table.push_str(&format!("| {number} {row}\n"));
    }
    text(ATTACKS, &table)
}

fn problems(spec: &[Text], code: &[Text]) -> Vec<String> {
    let reasons = Registry::parse(
        "[OFFER_EXPIRED]\ncode = 'ABORTED'\nretry = 'no'\nmessage = 'It is late.'\nhint = 'Ask again.'",
    );
    trace(spec, code, &["token.late".into()].into(), &reasons.unwrap())
        .1
        .iter()
        .map(Problem::to_string)
        .collect()
}

fn problems_of(negotiation: &str) -> Vec<String> {
    problems(&[text("spec/negotiation.md", &format!("{GOOD}\n\n{negotiation}")), security(&[])], &[])
}

#[test]
fn a_spec_that_keeps_the_form_has_no_problem() {
    assert_eq!(problems_of(""), [""; 0]);
}

#[test]
fn a_keyword_stands_in_a_numbered_requirement_or_nowhere() {
    for (line, word) in
        [("A broker MUST hurry.", "MUST"), ("- **Note** one MAY", "MAY"), ("It SHALL.", "SHALL")]
    {
        assert_eq!(
            problems_of(line),
            [format!("spec/negotiation.md:14: {word} outside a numbered requirement")]
        );
    }
    assert_eq!(problems_of("**NEG-016** - Log - It MAY.\n\nThis SHOULD not be here.").len(), 1);
    assert_eq!(problems_of("| a table of another page | MUST |").len(), 1);
}

#[test]
fn a_requirement_has_one_keyword() {
    for (sentence, found) in [("may", 0), ("MUST and MAY", 2), ("MUST\nand MUST NOT", 2)] {
        assert_eq!(
            problems_of(&format!("**NEG-016** - Log - It {sentence}.")),
            [format!("spec/negotiation.md:14: NEG-016 has {found} keywords; a requirement has exactly one")]
        );
    }
}

#[test]
fn an_id_has_the_form_and_is_used_once() {
    for id in ["NEG-16", "NEG-0160", "neg-016", "FOO-016", "NEG-016a"] {
        assert_eq!(
            problems_of(&format!("**{id}** - Log - It MUST.")),
            [format!("spec/negotiation.md:14: {id} is not of the form AREA-NNN with an area of the list")]
        );
    }
    assert_eq!(
        problems_of("**NEG-014** - Log - It MUST."),
        ["spec/negotiation.md:14: NEG-014 is used already, at spec/negotiation.md:5"]
    );
}

#[test]
fn a_requirement_names_a_role_and_a_reason_that_exist() {
    assert_eq!(
        problems_of("**NEG-016** - Wizard - It MUST."),
        [
            "spec/negotiation.md:14: NEG-016: \"Wizard\" is not one of Broker, Client, Issuer, Verifier, Log, Party"
        ]
    );
    assert_eq!(
        problems_of("**NEG-016**: the broker MUST."),
        ["spec/negotiation.md:14: NEG-016 is not of the form `**NEG-016** - Role - sentence`"]
    );
    assert_eq!(
        problems_of("**NEG-016** - Broker - It MUST refuse with reason\n`BAD_MOOD`."),
        ["spec/negotiation.md:14: NEG-016: BAD_MOOD is not a reason of spec/errors.toml"]
    );
}

#[test]
fn a_guard_cites_a_requirement_that_exists() {
    let spec = [text("spec/negotiation.md", GOOD), security(&[])];
    let code = "
        // require!(\"NEG-097\", ...) is only talked about
        require!(\"NEG-014\", fresh, Reason::OfferExpired);
        require!(
            \"NEG-098\", fresh, Reason::OfferExpired);
        let it = seen(\"https://x\", require_some!(\"NEG-099\", it, Reason::OfferExpired));
        Err(Refusal::new(\"NEG-100\", Reason::OfferExpired, \"\"))
        Refusal::new($rule, $reason, \"\")";
    assert_eq!(
        problems(&spec, &[text("broker/src/moves.rs", code), text("examples/odd.rs", code)]),
        [(5, "098"), (6, "099"), (7, "100")]
            .map(|(line, id)| format!("broker/src/moves.rs:{line}: NEG-{id} is no requirement of spec/"))
    );
}

#[test]
fn an_attack_names_tests_that_exist_or_says_why_not_yet() {
    let moves = "#[test]\nfn late_accept_is_refused() {}\n// #[test]\nfn helper() {}\n\
                 #[tokio::test]\n/// Why.\n#[expect(x)]\nasync fn twice() {}";
    let code = [text("broker/tests/moves.rs", moves), text("broker/src/moves.rs", "#[test]\nfn twice() {}")];
    for (row, problem) in [
        ("| NEG-014 | tests: `moves::late_accept_is_refused`, `token.late` |", None),
        ("| NEG-014 | tests: `moves::late_accept_is_refused`; later: the log's half |", None),
        ("| NEG-014 | tests: `moves::helper` |", Some("there is no test `moves::helper`")),
        ("| NEG-014 | tests: `moves::late_accept` |", Some("there is no test `moves::late_accept`")),
        (
            "| NEG-014 | tests: `hops::late_accept_is_refused` |",
            Some("there is no test `hops::late_accept_is_refused`"),
        ),
        ("| NEG-014 | tests: `moves::twice` |", Some("there are 2 tests `moves::twice`")),
        ("| NEG-014 | tests: `token.early` |", Some("there is no vector `token.early`")),
        ("| NEG-014 | tests: |", Some("names no test after `tests:`")),
        ("| NEG-014 | later: |", Some("says `later:` but not why")),
        ("| NEG-014 | |", Some("names no `tests:` and no `later: why`")),
        ("| NEG-014, NEG-077 | later: soon |", Some("NEG-077 is no requirement of spec/")),
    ] {
        let spec = [text("spec/negotiation.md", GOOD), security(&[(2, row)])];
        let expected: Vec<_> =
            problem.iter().map(|what| format!("spec/security.md:4: attack 2: {what}")).collect();
        assert_eq!(problems(&spec, &code), expected, "{row}");
    }
}

#[test]
fn the_forms_of_an_attack_follow_one_another() {
    let table = |rows: &str| {
        let mut table = security(&[]);
        table.content = table.content.replace("| 2 | NEG-014 | later: soon |", rows);
        problems(&[text("spec/negotiation.md", GOOD), table], &[])
    };
    assert_eq!(table("| 2a | NEG-014 | later: soon |\n| 2b | NEG-014 | later: soon |"), [""; 0], "the twin");
    for (rows, forms) in
        [("| 2b | | later: soon |", "b"), ("| 2a | | later: soon |\n| 2a | | later: soon |", "aa")]
    {
        assert_eq!(
            table(rows),
            [format!("spec/security.md:1: attack 2 has the forms {forms:?}, not a, b, c, …")]
        );
    }
}

#[test]
fn an_attack_without_a_row_is_a_problem() {
    let mut table = security(&[]);
    table.content = table.content.replace("| 36 |", "| later |");
    let spec = [text("spec/negotiation.md", GOOD), table];
    assert_eq!(problems(&spec, &[]), ["spec/security.md:1: attack 36 has no row"]);
    let without = problems(&spec[..1], &[]);
    assert_eq!(without, ["spec/security.md:1: does not exist; it answers attacks 1 to 36"]);
}

#[test]
fn a_limit_names_the_test_of_its_edges_or_says_why_it_has_none() {
    let test = "#[test]\nfn few_fit() {}";
    for (docs, problem) in [
        ("/// Few.\n/// Edges: `moves::few_fit`.", None),
        ("/// Edges: `few_fit`, `moves::few_fit`.\n/// And more words.", None),
        ("/// Few.\n/// Edges: none. It paces.", None),
        ("/// Few.", Some("does not say where its `Edges:` are tested")),
        ("/// Edges: none.", Some("has no edges, but does not say why")),
        ("/// Edges: few_fit.", Some("names no test after `Edges:`")),
        (
            "/// Edges: `moves::few_fit`, `moves::ghost`.",
            Some("names `moves::ghost`, and there is no such test"),
        ),
    ] {
        let limits =
            format!("/// Edges: `few_fit`.\npub const OTHER: u8 = 1;\n\n{docs}\npub const FEW: u8 = 2;\n");
        let line = 4 + docs.lines().count();
        let code = [text("broker/src/limits.rs", &limits), text("broker/tests/moves.rs", test)];
        let spec = [text("spec/negotiation.md", GOOD), security(&[])];
        let expected: Vec<_> =
            problem.iter().map(|what| format!("broker/src/limits.rs:{line}: FEW {what}")).collect();
        assert_eq!(problems(&spec, &code), expected, "{docs}");
    }
}
