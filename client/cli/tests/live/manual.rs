//! The manual's transcripts, line by line, against a real broker.
//!
//! What differs from run to run is shown under stable names: ids by number, times as one time. A command
//! may use the names that were shown. `COUNTERSIGN_BLESS=1` writes the answers anew, to be read before
//! they are committed.

use std::{collections::BTreeMap, fmt::Write as _, fs, time::Duration};

use countersign::{Agent, OfferReply, RequestReply, Terms};
use countersign_protocol::time::Lifetime;

use crate::{
    broker::{DOMAIN, Site},
    programs::{Files, join_with, rules},
};

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/MANUAL.md");
const TIME: &str = "2027-03-01T12:00:00.000Z";

/// What was shown for what there really was.
#[derive(Default)]
struct Names {
    shown: BTreeMap<String, String>,
    uuids: usize,
    digests: usize,
}

impl Names {
    /// Text as the manual shows it.
    fn show(&mut self, site: &Site, person: &str, text: &str) -> String {
        let sessions = site.home(person).join("sessions");
        let text = text.replace(sessions.to_str().unwrap(), "~/.local/state/countersign");
        let text = text.replace(&site.path(""), "");
        let text = without_delay(&text);
        let mut out = String::new();
        for token in pieces(&text) {
            out.push_str(&self.shown_as(token));
        }
        out
    }

    fn shown_as(&mut self, token: &str) -> String {
        let hex = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_uuid(token) {
            let next = self.uuids + 1;
            let shown = self.shown.entry(token.to_owned()).or_insert_with(|| {
                self.uuids = next;
                format!("01a00000-0000-7000-8000-{next:012}")
            });
            return shown.clone();
        }
        if hex && (12..=64).contains(&token.len()) {
            // By its beginning: a table shows no more of it.
            let next = self.digests + 1;
            let shown = self.shown.entry(token[..12].to_owned()).or_insert_with(|| {
                self.digests = next;
                format!("d{next:011}")
            });
            return format!("{shown}{}", "0".repeat(token.len() - 12));
        }
        let time = token.len() == TIME.len() && token.ends_with('Z') && token.as_bytes()[10] == b'T';
        if time { TIME.to_owned() } else { token.to_owned() }
    }

    /// What there really is, of what the manual names.
    fn real(&self, word: &str) -> String {
        let known = self.shown.iter().find(|(_, shown)| word.contains(shown.as_str()));
        known.map_or(word.to_owned(), |(real, shown)| {
            // A digest is named by its beginning.
            let rest = if shown.len() == 12 { word.trim_end_matches('0') } else { word };
            if shown.len() == 12 && rest.len() <= 12 { real.clone() } else { word.replace(shown, real) }
        })
    }
}

/// How far two clocks are apart is not the same twice.
fn without_delay(text: &str) -> String {
    let told = |line: &str| match (line.find("It is "), line.find(" ms from ")) {
        (Some(begin), Some(end)) if begin + 6 < end => format!("{}2{}", &line[..begin + 6], &line[end..]),
        _ => line.to_owned(),
    };
    text.split('\n').map(told).collect::<Vec<_>>().join("\n")
}

fn is_uuid(token: &str) -> bool {
    token.len() == 36
        && token.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The text in pieces: what could be a name, and what stands between.
fn pieces(text: &str) -> Vec<&str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.');
    let (mut pieces, mut begin) = (Vec::new(), 0);
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|last| last != part(c)) {
            pieces.push(&text[begin..at]);
            begin = at;
        }
        last = Some(part(c));
    }
    pieces.push(&text[begin..]);
    // A full stop or colon at the end is the sentence's.
    pieces
        .into_iter()
        .flat_map(|piece| {
            let name = piece.trim_end_matches(['.', ':']);
            if name.is_empty() { vec![piece] } else { vec![name, &piece[name.len()..]] }
        })
        .collect()
}

/// The broker, the programs, and what has been shown.
struct Stage {
    site: Site,
    names: Names,
    programs: BTreeMap<String, Agent>,
}

impl Stage {
    /// What the text tells the test to do between two transcripts.
    fn direct(&mut self, directive: &str, block: &str) {
        let words: Vec<&str> = directive.split_whitespace().collect();
        match words.as_slice() {
            ["file", name] => fs::write(self.site.path(name), block).unwrap(),
            [name, "joins", "with", file] => {
                let token = fs::read_to_string(self.site.path(file)).unwrap();
                let agent = join_with(&self.site, name, token.trim_end());
                self.programs.insert((*name).to_owned(), agent);
            }
            ["files", "serves"] => {
                let files = self.programs["files"].clone();
                self.site.runtime.spawn(async move { files.serve(Files, std::num::NonZeroU32::MIN).await });
            }
            [name, "delegates"] => {
                let agent = self.programs[*name].clone();
                self.site.runtime.spawn(async move {
                    let held = agent.holdings().await.unwrap().remove(0);
                    let minute = Lifetime::from_millis(60_000);
                    let mut offer = |wanted: &countersign::Wanted| {
                        RequestReply::from(Terms::new(wanted.rights.clone(), minute, minute))
                    };
                    agent.delegate(&held, &mut offer).await
                });
            }
            [name, "asks", whom] => {
                let (agent, whom) = (self.programs[*name].clone(), format!("spiffe://{DOMAIN}/{whom}"));
                self.site.runtime.spawn(async move {
                    // Whoever is asked has come to the desk by then.
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let rights = crate::programs::some_rights(agent.now());
                    let deadline = agent.now().plus(Lifetime::from_millis(60_000));
                    let ask = countersign::Ask {
                        rights,
                        purpose: "why".into(),
                        deadline,
                        max_rounds: 2,
                        award: None,
                    };
                    agent.negotiate(&whom.parse().unwrap(), ask, &mut |_: &_| OfferReply::Accept).await
                });
            }
            other => panic!("nobody knows how to do {other:?}"),
        }
    }

    /// Runs one line, and tells what came of it.
    fn run(&mut self, line: &str) -> String {
        let (person, command) = line.split_once("$ ").unwrap();
        let (command, input) =
            command.split_once(" < ").map_or((command, None), |(command, file)| (command, Some(file)));
        let input = input.map(|file| fs::read(self.site.path(file)).unwrap()).unwrap_or_default();
        let mut words = words(command).into_iter();
        assert_eq!(words.next().as_deref(), Some("countersign"), "{line}");
        let is_file = |word: &str| {
            [".token", ".toml", ".bundle", ".txt", ".archive"].iter().any(|end| word.ends_with(end))
        };
        let real = |word: String| if is_file(&word) { self.site.path(&word) } else { self.names.real(&word) };
        let args: Vec<String> = words.map(real).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = self.site.with_input(person, &input, &args);
        let mut told = format!("{}{}", ran.out, ran.err);
        if ran.exit.code() != 0 {
            writeln!(told, "? {}", ran.exit.code()).unwrap();
        }
        self.names.show(&self.site, person, &told)
    }
}

/// The words of a line, of which quotes make one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

fn is_command(line: &str) -> bool {
    line.split_once("$ ")
        .is_some_and(|(person, _)| person.bytes().all(|byte| byte.is_ascii_lowercase()) && !person.is_empty())
}

/// The manual with the answers that there are now.
fn performed(text: &str, stage: &mut Stage) -> String {
    let (mut out, mut lines) = (String::new(), text.lines().peekable());
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        if let Some(directive) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            let mut block = String::new();
            if directive.starts_with("file ") {
                writeln!(out, "{}", lines.next().unwrap()).unwrap();
                while let Some(line) = lines.next_if(|line| *line != "```") {
                    writeln!(out, "{line}").unwrap();
                    writeln!(block, "{line}").unwrap();
                }
            }
            stage.direct(directive, &block);
        }
        if line == "```console" {
            while let Some(line) = lines.next_if(|line| *line != "```") {
                if is_command(line) {
                    writeln!(out, "{line}").unwrap();
                    let told = stage.run(line);
                    // Where the manual hangs, this says at what.
                    eprintln!("{line}\n{told}");
                    out.push_str(&told);
                }
            }
        }
    }
    out
}

#[test]
fn the_manual_tells_what_happens() {
    let mut stage = Stage { site: Site::start(&rules()), names: Names::default(), programs: BTreeMap::new() };
    fs::copy(stage.site.keys(), stage.site.path("keys.txt")).unwrap();
    let manual = fs::read_to_string(MANUAL).unwrap();
    let performed = performed(&manual, &mut stage);
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        fs::write(MANUAL, &performed).unwrap();
    }
    let manual = fs::read_to_string(MANUAL).unwrap();
    for (line, (told, happened)) in manual.lines().zip(performed.lines()).enumerate() {
        assert_eq!(told, happened, "MANUAL.md:{}: COUNTERSIGN_BLESS=1 writes it anew", line + 1);
    }
    assert_eq!(manual, performed);
}

#[test]
fn every_command_is_in_the_manual() {
    let manual = fs::read_to_string(MANUAL).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let help = crate::support::run(directory.path(), b"", &["--help"]).out;
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for name in commands
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
    {
        assert!(manual.contains(&format!("countersign {name}")), "{name}");
        count += 1;
    }
    assert!(count >= 18, "{help}");
}
