//! The vectors are C2SP's own example and that of golang.org/x/mod/sumdb/note.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::{
    key::SigningKey,
    ledger::{Checkpoint, NotANote, NoteVerifier, SignedCheckpoint, note::Note},
    payload::Payload,
};

const C2SP_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const C2SP_NOTE: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

const GO_SEED: &str = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=";
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const GO_LINE: &str = "— PeterNeumann \
    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const WITNESSED: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa \
    Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — witness.example.com/w1 \
    jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "prod.acme.example/ledger".parse().unwrap(),
        size: size(7),
        root: leaf_hash(b"root"),
    }
}

fn verifier(name: &str, seed: u8) -> NoteVerifier {
    NoteVerifier::new(name.parse().unwrap(), key(seed).public())
}

fn log() -> NoteVerifier {
    verifier("prod.acme.example/ledger", 1)
}

fn open(text: &str) -> Result<Checkpoint, NotANote> {
    text.parse::<SignedCheckpoint>()?.open(&log())
}

#[test]
fn notes_of_other_implementations_verify() {
    for (verifier, note) in [(C2SP_KEY, C2SP_NOTE.to_owned()), (GO_KEY, format!("{GO_TEXT}\n{GO_LINE}"))] {
        let verifier: NoteVerifier = verifier.parse().unwrap();
        assert_eq!(Note::parse(&note).unwrap().verify(&verifier), Ok(()));
        let forged = note.replacen('.', "!", 1);
        assert!(matches!(Note::parse(&forged).unwrap().verify(&verifier), Err(NotANote::Signature(_))));
    }
}

#[test]
fn signing_gives_the_bytes_that_another_implementation_gives() {
    let seed: [u8; 32] = STANDARD.decode(GO_SEED).unwrap().try_into().unwrap();
    let note = Note::sign(GO_TEXT, &"PeterNeumann".parse().unwrap(), &SigningKey::from_seed(&seed));
    assert_eq!(note.as_str(), format!("{GO_TEXT}\n{GO_LINE}"));
    let (parsed, text) = (Note::parse(note.as_str()).unwrap(), note.text());
    assert!(parsed == note && text == GO_TEXT);
}

#[test]
fn a_verifier_key_prints_as_it_was_read() {
    for text in [C2SP_KEY, GO_KEY, "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6"] {
        assert_eq!(text.parse::<NoteVerifier>().unwrap().to_string(), text);
    }
}

#[test]
fn look_alikes_of_a_verifier_key_are_refused() {
    for text in [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/f o+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k=",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    ] {
        assert!(text.parse::<NoteVerifier>().is_err(), "{text}");
    }
}

#[test]
fn a_checkpoint_opens_for_the_log_that_signed_it() {
    let signed = SignedCheckpoint::sign(&checkpoint(), &key(1));
    assert_eq!(open(signed.as_str()), Ok(checkpoint()));
    assert_eq!(signed.open(&verifier("prod.acme.example/ledger", 2)), Err(NotANote::NotSigned));
    assert_eq!(signed.open(&verifier("dev.acme.example/ledger", 1)), Err(NotANote::NotSigned));
    assert_eq!(Checkpoint::from_bytes(&checkpoint().to_bytes()), Ok(checkpoint()));
}

#[test]
fn a_key_cannot_sign_for_another_log() {
    let note = Note::sign(&checkpoint().to_string(), &"dev.acme.example/ledger".parse().unwrap(), &key(1));
    let signed: SignedCheckpoint = note.as_str().parse().unwrap();
    assert_eq!(signed.open(&verifier("dev.acme.example/ledger", 1)), Err(NotANote::OtherOrigin));
}

#[test]
fn lines_of_unknown_keys_are_passed_over_and_one_of_the_known_key_must_verify() {
    let honest = SignedCheckpoint::sign(&checkpoint(), &key(1)).to_string();
    let witness = WITNESSED.lines().last().unwrap();
    assert_eq!(open(&format!("{honest}{witness}\n")), Ok(checkpoint()));

    // The name and key id of the log over another text.
    let other = Checkpoint { size: size(8), ..checkpoint() };
    let other = SignedCheckpoint::sign(&other, &key(1)).to_string();
    let forged_line = other.lines().last().unwrap();
    let forged = format!("{honest}{forged_line}\n");
    assert!(matches!(open(&forged), Err(NotANote::Signature(_))), "a good line does not excuse a bad one");
    let (text, _) = honest.split_once("\n\n").unwrap();
    assert_eq!(open(&format!("{text}\n\n{witness}\n")), Err(NotANote::NotSigned));
    assert!(matches!(open(&format!("{text}\n\n{forged_line}\n")), Err(NotANote::Signature(_))));
}

#[test]
fn the_specifications_example_is_read_as_it_says() {
    let signed: SignedCheckpoint = WITNESSED.parse().unwrap();
    assert_eq!(signed.peek_unverified().origin.as_str(), "example.com/behind-the-sofa");
    assert_eq!(signed.peek_unverified().size, size(20_852_163));
    assert_eq!(signed.as_str(), WITNESSED);
}

#[test]
fn other_spellings_of_a_checkpoint_are_refused() {
    let honest = checkpoint().to_string();
    assert_eq!(honest.parse(), Ok(checkpoint()), "the twin");
    let root = honest.lines().last().unwrap();
    for text in [
        honest.replace("\n7\n", "\n07\n"),
        honest.replace("\n7\n", "\n+7\n"),
        honest.replace("\n7\n", "\n 7\n"),
        honest.replace("\n7\n", "\n7\r\n"),
        honest.replace("\n7\n", "\n-7\n"),
        honest.replace("\n7\n", "\n\n"),
        honest.replace("\n7\n", "\n9223372036854775808\n"),
        honest.replace(root, root.trim_end_matches('=')),
        honest.replace(root, &root[4..]),
        honest.replace("prod.acme.example/ledger", ""),
        honest.replace("prod", "p rod"),
        honest.replace("prod", "prod+"),
        format!("{honest}extension\n"),
        honest.trim_end().to_owned(),
        String::new(),
    ] {
        assert!(text.parse::<Checkpoint>().is_err(), "{text:?}");
    }
}

#[test]
fn a_changed_byte_anywhere_never_opens_as_something_else() {
    let honest = SignedCheckpoint::sign(&checkpoint(), &key(1)).to_string();
    for at in 0..honest.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut bytes = honest.clone().into_bytes();
            bytes[at] ^= mask;
            let opened = SignedCheckpoint::try_from(bytes.as_slice()).and_then(|signed| signed.open(&log()));
            assert!(opened.is_err(), "byte {at} with {mask:#x}");
        }
    }
}

#[test]
fn endless_notes_are_refused_before_their_signatures_are_checked() {
    let honest = SignedCheckpoint::sign(&checkpoint(), &key(1)).to_string();
    let witness = format!("{}\n", WITNESSED.lines().last().unwrap());
    assert_eq!(open(&format!("{honest}{}", witness.repeat(63))), Ok(checkpoint()), "the twin");
    assert!(matches!(open(&format!("{honest}{}", witness.repeat(64))), Err(NotANote::TooLong { .. })));
    let wide = format!("{honest}— w {}\n", "A".repeat(128 * 1024));
    assert!(matches!(open(&wide), Err(NotANote::TooLong { .. })));
}
