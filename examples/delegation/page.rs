//! What the reader sees.

use std::{error::Error, fmt::Display};

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};

const TITLE: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const FAINT: Style = Style::new().dimmed();

pub(crate) fn chapter(number: u32, title: &str) {
    println!("\n{TITLE}{number}  {title}{TITLE:#}");
}

/// Something that one of the processes says or that the story knows.
pub(crate) fn line(who: &str, what: impl Display) {
    println!("   {FAINT}{who:>10}{FAINT:#}  {what}");
}

/// Something that went as it should.
pub(crate) fn good(what: impl Display) {
    println!("   {GOOD}{:>10}{GOOD:#}  {what}", "✓");
}

/// An attempt that was refused, as it should be.
pub(crate) fn refused(reason: &str, what: impl Display) {
    println!("   {BAD}{:>10}{BAD:#}  {what}: {BAD}{reason}{BAD:#}", "✗");
}

/// Text of several lines, set off.
pub(crate) fn block(text: &str) {
    for line in text.lines() {
        println!("   {:>10}  {FAINT}│{FAINT:#} {line}", "");
    }
}

/// The story does not go on.
pub(crate) fn wrong(error: &dyn Error) {
    eprintln!("\n{BAD}error{BAD:#}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
}
