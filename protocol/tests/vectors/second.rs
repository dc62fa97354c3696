//! The second judge, which shares no code with the core: `check.py` beside the vectors.

use std::{io::Write as _, process::Command};

use super::folder;

/// What needs no Ed25519.
const OPS: [&str; 5] = ["decode_payload", "parse_name", "narrow", "verify_inclusion", "verify_consistency"];

#[test]
fn a_second_reader_in_another_language_agrees() {
    let script = folder::path().join("check.py");
    let Ok(output) = Command::new("python3").arg("-B").arg(&script).output() else {
        // Straight to the terminal: what a test prints is not shown where it passes.
        writeln!(
            std::io::stderr(),
            "\nNOT CHECKED: there is no python3, so only the core judged the vectors\n"
        )
        .unwrap();
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let vectors = folder::vectors();
    let judged = vectors.iter().filter(|vector| OPS.contains(&vector.op.as_str())).count();
    let left = vectors.len() - judged;
    assert_eq!(said.trim(), format!("{judged} judged, {left} need Ed25519, 0 disagree"));
}
