//! What people write in TOML: every problem is told at once, with its line, its key, what is wrong
//! and what is expected. A key that is not known is a problem: it would be a limit that is not there.

mod constraint;
mod lifetime;
mod scope;
mod section;
mod text;
mod value;

use std::fmt;

use thiserror::Error;
use toml::de::DeTable;

pub use lifetime::LifetimeText;
pub use scope::Scope;
pub use section::Section;
pub use toml::de::DeValue as Value;
pub use value::Setting;

use section::Sink;

/// Reads a document. `file` only names it in the problems.
pub fn read<T>(
    file: &str,
    text: &str,
    read: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
) -> Result<T, Problems> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let sink = Sink::new(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        sink.tell(at, "", format!("it is not TOML: {}", error.message()), "TOML 1.0");
    }
    // What a parser makes of broken text says nothing of what was meant.
    let value = if errors.is_empty() {
        let mut root = Section::root(table.into_inner(), &sink);
        let value = read(&mut root);
        root.finish();
        value
    } else {
        None
    };
    let list = sink.into_problems();
    match value {
        Some(value) if list.is_empty() => Ok(value),
        _ => Err(Problems { file: file.to_owned(), list }),
    }
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from one.
    pub line: usize,
    /// The key, from the top of the document: `grant_rule[0].budget.unit`.
    pub key: String,
    /// What is wrong with it.
    pub wrong: String,
    /// What should be there.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}; expected {}", self.key, self.wrong, self.expected)
    }
}

/// Everything that is wrong with a document, in order of lines.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Each of them.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }
}

impl fmt::Display for Problems {
    /// One line for each, as compilers write them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.list.iter().enumerate() {
            let newline = if position > 0 { "\n" } else { "" };
            write!(f, "{newline}{}:{}: {problem}", self.file, problem.line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
