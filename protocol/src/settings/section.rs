//! One table of a document, read key by key.

use std::{cell::RefCell, collections::BTreeMap};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Problem, value::Setting};

/// Collects the problems of a document.
pub(super) struct Sink {
    /// Where each line begins.
    lines: Vec<usize>,
    /// Each with its place.
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl Sink {
    pub(super) fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { lines, problems: RefCell::default() }
    }

    pub(super) fn tell(&self, at: usize, key: &str, wrong: String, expected: &str) {
        let line = self.lines.partition_point(|start| *start <= at);
        let (key, expected) = (key.to_owned(), expected.to_owned());
        self.problems.borrow_mut().push((at, Problem { line, key, wrong, expected }));
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(at, _)| *at);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// A table. Whoever reads it takes the keys that it may have; what is left is told as unknown.
///
/// Each method that gives `None` for a key that is there, or has to be, has told the problem.
pub struct Section<'text, 'sink> {
    table: DeTable<'text>,
    /// Where each key stood that was read.
    read: BTreeMap<String, usize>,
    /// Its own key, with a dot after it; empty for the document.
    prefix: String,
    at: usize,
    sink: &'sink Sink,
}

impl<'text, 'sink> Section<'text, 'sink> {
    pub(super) fn root(table: DeTable<'text>, sink: &'sink Sink) -> Self {
        Self { table, read: BTreeMap::new(), prefix: String::new(), at: 0, sink }
    }

    /// A value that has to be there.
    pub fn required<T: Setting>(&mut self, key: &str) -> Option<T> {
        match self.take(key) {
            Some(value) => self.setting(&format!("{}{key}", self.prefix), &value),
            None => {
                self.missing(key, T::EXPECTED);
                None
            }
        }
    }

    /// A value that may be absent: `Some(None)`.
    pub fn optional<T: Setting>(&mut self, key: &str) -> Option<Option<T>> {
        match self.take(key) {
            Some(value) => self.setting(&format!("{}{key}", self.prefix), &value).map(Some),
            None => Some(None),
        }
    }

    /// A value, or what stands for it when it is absent.
    pub fn or<T: Setting>(&mut self, key: &str, default: T) -> Option<T> {
        self.optional(key).map(|value| value.unwrap_or(default))
    }

    /// A list that has to be there, and may be empty.
    pub fn list<T: Setting>(&mut self, key: &str) -> Option<Vec<T>> {
        let Some(value) = self.take(key) else {
            self.missing(key, &format!("a list, each of it {}", T::EXPECTED));
            return None;
        };
        let key = format!("{}{key}", self.prefix);
        let DeValue::Array(items) = value.get_ref() else {
            let expected = format!("a list, each of it {}", T::EXPECTED);
            self.sink.tell(value.span().start, &key, super::value::got(value.get_ref()), &expected);
            return None;
        };
        let mut whole = true;
        let mut list = Vec::new();
        for (position, item) in items.iter().enumerate() {
            match self.setting(&format!("{key}[{position}]"), item) {
                Some(item) => list.push(item),
                None => whole = false,
            }
        }
        whole.then_some(list)
    }

    /// A table that has to be there.
    pub fn section<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        match self.optional_section(key, read) {
            Some(None) => {
                self.missing(key, "a table");
                None
            }
            read => read.flatten(),
        }
    }

    /// A table that may be absent: `Some(None)`.
    pub fn optional_section<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(value) = self.take(key) else { return Some(None) };
        let key = format!("{}{key}", self.prefix);
        self.within(&key, value, read).map(Some)
    }

    /// A list of tables, `[[key]]`; none if the key is absent.
    pub fn sections<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = self.take(key) else { return Some(Vec::new()) };
        let (key, at) = (format!("{}{key}", self.prefix), value.span().start);
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            other => {
                self.sink.tell(at, &key, super::value::got(&other), "a list of tables");
                return None;
            }
        };
        let mut whole = true;
        let mut list = Vec::new();
        for (position, item) in items.into_iter().enumerate() {
            match self.within(&format!("{key}[{position}]"), item, &mut read) {
                Some(item) => list.push(item),
                None => whole = false,
            }
        }
        whole.then_some(list)
    }

    /// Tells a problem with the section as a whole, or with a key that has been read.
    pub fn problem(&self, key: &str, wrong: impl Into<String>, expected: &str) {
        let at = self.read.get(key).copied().unwrap_or(self.at);
        let key = format!("{}{key}", self.prefix);
        self.sink.tell(at, key.trim_end_matches('.'), wrong.into(), expected);
    }

    /// Whether the section has that key, and it has not been read.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Takes a key that is known.
    pub(super) fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'text>>> {
        let value = self.table.remove(key)?;
        self.read.insert(key.to_owned(), value.span().start);
        Some(value)
    }

    /// Tells every key that was not read.
    pub(super) fn finish(self) {
        for (key, _) in &self.table {
            let path = format!("{}{}", self.prefix, key.get_ref());
            self.sink.tell(key.span().start, &path, "there is no such key".into(), "a key of the manual");
        }
    }

    fn within<T>(
        &self,
        key: &str,
        value: Spanned<DeValue<'text>>,
        read: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => {
                let prefix = format!("{key}.");
                let mut section = Section { table, read: BTreeMap::new(), prefix, at, sink: self.sink };
                let value = read(&mut section);
                section.finish();
                value
            }
            other => {
                self.sink.tell(at, key, super::value::got(&other), "a table");
                None
            }
        }
    }

    fn setting<T: Setting>(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<T> {
        let told = |wrong| self.sink.tell(value.span().start, key, wrong, T::EXPECTED);
        T::read(value.get_ref()).map_err(told).ok()
    }

    fn missing(&self, key: &str, expected: &str) {
        self.problem(key, "it is missing", expected);
    }
}
