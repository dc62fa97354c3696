//! Signed checkpoints: C2SP's tlog-checkpoint in a signed note.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_forge::note::{self, note};
use countersign_protocol::ledger::{Checkpoint, NoteVerifier, SignedCheckpoint, TreeSize, leaf_hash};
use serde_json::json;

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};

const OP: &str = "open_checkpoint";
const GOOD: &str = "checkpoint.good";
const LOG: &str = "acme.example/ledger";

pub(super) fn fill(shelf: &mut Shelf) {
    accepted(shelf);
    signatures(shelf);
    texts(shelf);
    lines(shelf);
}

fn root() -> String {
    STANDARD.encode(leaf_hash(b"entry 0").as_bytes())
}

fn text() -> String {
    format!("{LOG}\n7\n{}\n", root())
}

/// A signature's line under any name by any key over any text.
fn line(name: &str, key: &str, text: &str) -> String {
    note::line(name, &cast::key(key), text)
}

/// The text, signed anew by the log.
fn signed(text: &str) -> String {
    note(text, &[line(LOG, "checkpoint", text)])
}

fn give(draft: Draft<'_>, note: &str) {
    let verifier = NoteVerifier::new(LOG.parse().unwrap(), cast::public("checkpoint"));
    draft.given(json!({ "vkey": verifier.to_string() }), json!({ "note_b64": to_base64(note.as_bytes()) }));
}

fn refuse<'a>(shelf: &'a mut Shelf, id: &str, fault: &str, why: &str) -> Draft<'a> {
    let rule = match fault {
        "malformed" => "LOG-120",
        "other_origin" => "LOG-123",
        _ => "LOG-121",
    };
    let draft = shelf.reject(OP, &format!("checkpoint.{id}"), GOOD).rule(rule);
    draft.reason("BUNDLE_INVALID").fault(fault).because(why).flag("LogTampering")
}

fn accepted(shelf: &mut Shelf) {
    let root = leaf_hash(b"entry 0");
    let output = json!({ "origin": LOG, "size": 7, "root": root.to_string() });
    let good = signed(&text());
    let checkpoint = Checkpoint { origin: LOG.parse().unwrap(), size: TreeSize::new(7).unwrap(), root };
    assert_eq!(SignedCheckpoint::sign(&checkpoint, &cast::key("checkpoint")).as_str(), good);
    let mut accept = |id: &str, rule: &str, why: &str, note: &str| {
        let draft = shelf.accept(OP, &format!("checkpoint.{id}")).rule(rule).because(why);
        give(draft.output(output.clone()), note);
    };
    accept("good", "LOG-121", "The log's own signature.", &good);
    let witness = line("witness.example", "witness", &text());
    accept("witnessed", "LOG-122", "Lines of other keys are passed over.", &format!("{good}{witness}"));
    accept(
        "witnessed-first",
        "LOG-122",
        "The log's line need not be the first.",
        &note(&text(), &[witness.clone(), line(LOG, "checkpoint", &text())]),
    );
    accept(
        "signed-twice",
        "LOG-121",
        "The same line twice.",
        &note(&text(), &vec![line(LOG, "checkpoint", &text()); 2]),
    );
    let namesake = line(LOG, "other-log", &text());
    accept(
        "namesake",
        "LOG-122",
        "A line of another key under the log's name.",
        &format!("{good}{namesake}"),
    );
    accept(
        "sixty-four-signatures",
        "LOG-122",
        "As many signatures as a checkpoint may have.",
        &format!("{good}{}", witness.repeat(63)),
    );
    let large = format!("{LOG}\n{}\n{}\n", i64::MAX, self::root());
    let draft = shelf.accept(OP, "checkpoint.largest").rule("LOG-120").because("The largest size.");
    let output = json!({ "origin": LOG, "size": i64::MAX as u64, "root": root.to_string() });
    give(draft.output(output), &signed(&large));
}

fn signatures(shelf: &mut Shelf) {
    let key = "/lines/4/key";
    let signature = "/lines/4/signature";
    let draft =
        refuse(shelf, "by-another-log", "not_signed", "Another key under the log's name.").at(key).resigned();
    give(draft, &note(&text(), &[line(LOG, "other-log", &text())]));
    let draft =
        refuse(shelf, "by-the-activation-key", "not_signed", "Another key of the domain.").at(key).resigned();
    give(draft, &note(&text(), &[line(LOG, "activation", &text())]));
    let draft =
        refuse(shelf, "under-another-name", "not_signed", "The log's key under another name.").resigned();
    give(
        draft.at("/lines/4/name"),
        &note(&text(), &[line("dev.acme.example/ledger", "checkpoint", &text())]),
    );
    for (id, other, why) in [
        (
            "signature-over-another-size",
            text().replace("\n7\n", "\n8\n"),
            "The log's signature over another size.",
        ),
        (
            "signature-over-another-root",
            text().replace(&root(), &STANDARD.encode(cast::sha256(b"x"))),
            "The log's signature over another root.",
        ),
        (
            "signature-over-another-log",
            text().replace(LOG, "dev.acme.example/ledger"),
            "The log's signature over another log's text.",
        ),
    ] {
        give(
            refuse(shelf, id, "signature", why).at(signature),
            &note(&text(), &[line(LOG, "checkpoint", &other)]),
        );
    }
    let draft =
        shelf.reject(OP, "checkpoint.a-good-line-and-a-bad-one", "checkpoint.signed-twice").rule("LOG-121");
    let draft =
        draft.reason("BUNDLE_INVALID").fault("signature").at("/lines/5/signature").flag("LogTampering");
    let bad = line(LOG, "checkpoint", &text().replace("\n7\n", "\n8\n"));
    let why = "The second line of the log's key is over another text.";
    give(draft.because(why), &note(&text(), &[line(LOG, "checkpoint", &text()), bad]));
    let draft =
        refuse(shelf, "witness-alone", "not_signed", "A witness signed; the log did not.").at("/lines/4");
    give(draft.resigned(), &note(&text(), &[line("witness.example", "witness", &text())]));
    let draft = refuse(
        shelf,
        "of-another-log",
        "other_origin",
        "The log's key and name under another log's checkpoint.",
    );
    give(draft.at("/lines/0").resigned(), &signed(&text().replace(LOG, "dev.acme.example/ledger")));
}

/// Other spellings of what the text says, each signed by the log itself.
fn texts(shelf: &mut Shelf) {
    let root = root();
    for (id, path, why, text) in [
        ("size-with-a-zero-before", "/lines/1", "07.", text().replace("\n7\n", "\n07\n")),
        ("size-with-a-sign", "/lines/1", "+7.", text().replace("\n7\n", "\n+7\n")),
        ("size-with-a-space", "/lines/1", "A space before it.", text().replace("\n7\n", "\n 7\n")),
        ("size-negative", "/lines/1", "-7.", text().replace("\n7\n", "\n-7\n")),
        ("size-in-hexadecimal", "/lines/1", "0x7.", text().replace("\n7\n", "\n0x7\n")),
        ("size-beyond-63-bits", "/lines/1", "2^63.", text().replace("\n7\n", "\n9223372036854775808\n")),
        (
            "carriage-return",
            "/lines/1",
            "A line that ends as on Windows.",
            text().replace("\n7\n", "\n7\r\n"),
        ),
        (
            "root-without-padding",
            "/lines/2",
            "Base64 without its padding.",
            text().replace(&root, root.trim_end_matches('=')),
        ),
        ("root-too-short", "/lines/2", "29 bytes.", text().replace(&root, &root[4..])),
        (
            "root-in-another-spelling",
            "/lines/2",
            "Bits beyond the last byte.",
            text().replace(&root, &loose(&root)),
        ),
        (
            "root-in-hexadecimal",
            "/lines/2",
            "Not base64.",
            text().replace(&root, &leaf_hash(b"entry 0").to_string()),
        ),
        (
            "extension-line",
            "/lines/3",
            "A fourth line, which no monitor could audit.",
            format!("{}extension\n", text()),
        ),
        (
            "origin-with-a-space",
            "/lines/0",
            "A space in the origin.",
            text().replace("acme.example", "acme example"),
        ),
        ("control-character", "/lines/0", "A control character.", text().replace("acme", "ac\u{1}me")),
    ] {
        give(refuse(shelf, id, "malformed", why).at(path).resigned(), &signed(&text));
    }
}

/// The same 32 bytes, with a bit set that belongs to none of them.
fn loose(root: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = root.as_bytes().to_vec();
    let last = bytes.len() - 2;
    let value = ALPHABET.iter().position(|letter| *letter == bytes[last]).unwrap();
    bytes[last] = ALPHABET[value | 1];
    String::from_utf8(bytes).unwrap()
}

/// The lines beneath the text.
fn lines(shelf: &mut Shelf) {
    let good = signed(&text());
    let at = "/lines/4";
    for (id, path, why, note) in [
        ("hyphen-for-a-dash", at, "A hyphen in place of the em dash.", good.replacen('—', "-", 1)),
        ("two-spaces", at, "Two spaces.", good.replacen("— ", "—  ", 1)),
        (
            "signature-not-base64",
            at,
            "A character that is none of base64's.",
            good.replacen("ledger ", "ledger *", 1),
        ),
        ("no-last-newline", "/lines/5", "The last line does not end.", good.trim_end().to_owned()),
    ] {
        give(refuse(shelf, id, "malformed", why).at(path), &note);
    }
    let draft =
        refuse(shelf, "no-blank-line", "malformed", "Text and signature without a line between them.");
    give(draft.at("/lines/3"), &good.replacen("\n\n", "\n", 1));
    let witness = line("witness.example", "witness", &text());
    let draft = shelf.reject(OP, "checkpoint.sixty-five-signatures", "checkpoint.sixty-four-signatures");
    let draft = draft.rule("LOG-122").reason("BUNDLE_INVALID").fault("too_long").because("One more.");
    give(draft.at("/lines/4/signatures").flag("Exhaustion"), &format!("{good}{}", witness.repeat(64)));
}
