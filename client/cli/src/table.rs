//! Data for people: headings, fields, tables and trees.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets::NOTHING};

use crate::terminal::printable;

/// Marks what was verified.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Marks what was only said.
pub(crate) const SAID: Style = AnsiColor::Yellow.on_default();
/// Marks what is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();

/// A page that grows downwards. Everything that is put on it is made printable.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// A heading, with an empty line before it unless it is the first thing.
    pub(crate) fn heading(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        let _ = writeln!(self.0, "{BOLD}{}{BOLD:#}", printable(text));
    }

    /// A line.
    pub(crate) fn line(&mut self, text: &str) {
        let _ = writeln!(self.0, "{}", printable(text));
    }

    /// A line behind a coloured mark.
    pub(crate) fn marked(&mut self, style: Style, mark: &str, text: &str) {
        let _ = writeln!(self.0, "{style}{mark}{style:#} {}", printable(text));
    }

    /// Text of several lines as it is; only what a checkpoint or a file holds.
    pub(crate) fn verbatim(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// Names and values, the values beneath one another. What has no value is left out.
    pub(crate) fn fields(&mut self, fields: &[(&str, String)]) {
        let fields = || fields.iter().filter(|(_, value)| !value.is_empty());
        let width = fields().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in fields() {
            let _ = writeln!(self.0, "{BOLD}{name:<width$}{BOLD:#}  {}", printable(value));
        }
    }

    /// Rows beneath a header; without rows, a line that says so.
    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>, none: &str) {
        if rows.is_empty() {
            return self.line(none);
        }
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header(header.to_vec());
        for row in rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let _ = writeln!(self.0, "{}", table.trim_fmt());
    }

    /// A node of a tree, as many levels down as `ancestors` has entries; each tells whether that
    /// ancestor, and the last one whether the node itself, has a sibling after it.
    pub(crate) fn node(&mut self, ancestors: &[bool], lines: &[String]) {
        let mut lead = String::new();
        let (own, above) = match ancestors.split_last() {
            Some((own, above)) => (Some(*own), above),
            None => (None, ancestors),
        };
        above.iter().for_each(|more| lead.push_str(if *more { "│  " } else { "   " }));
        let (first, rest) = match own {
            None => ("", ""),
            Some(true) => ("├─ ", "│  "),
            Some(false) => ("└─ ", "   "),
        };
        for (index, line) in lines.iter().enumerate() {
            let branch = if index == 0 { first } else { rest };
            let _ = writeln!(self.0, "{lead}{branch}{}", printable(line));
        }
    }
}

/// A digest by its beginning; enough of it that no two of the list begin alike.
pub(crate) struct Short(usize);

impl Short {
    const LEAST: usize = 12;

    /// Looks at everything that stands on the page.
    pub(crate) fn of<'a>(all: impl Iterator<Item = &'a str>) -> Self {
        let mut all: Vec<&str> = all.collect();
        all.sort_unstable();
        all.dedup();
        let common = |pair: &[&str]| match pair {
            [a, b] => a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count() + 1,
            _ => 0,
        };
        Self(all.windows(2).map(common).max().unwrap_or_default().max(Self::LEAST))
    }

    /// The beginning.
    pub(crate) fn show(&self, text: &str) -> String {
        text.chars().take(self.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_shortened_only_as_far_as_it_stays_alone() {
        let (a, b) = ("0123456789abcdef00", "0123456789abcdef01");
        let short = Short::of([a, b, a].into_iter());
        assert_eq!(short.show(a), a);
        assert_ne!(short.show(a), short.show(b));
        assert_eq!(Short::of([a].into_iter()).show(a), "0123456789ab");
    }

    #[test]
    fn a_table_has_its_columns_beneath_one_another() {
        let mut page = Page::default();
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        page.table(&["NAME", "STATE"], vec![row("planner", "live"), row("x", "a\u{7}b")], "none");
        assert_eq!(page.into_text(), "NAME     STATE\nplanner  live\nx        a\u{fffd}b\n");
        let mut page = Page::default();
        page.table(&["NAME"], vec![], "There are no agents.");
        assert_eq!(page.into_text(), "There are no agents.\n");
    }

    #[test]
    fn a_tree_shows_who_stands_beneath_whom() {
        let mut page = Page::default();
        page.node(&[], &["alice".into()]);
        page.node(&[true], &["planner".into(), "ends soon".into()]);
        page.node(&[true, false], &["researcher".into(), "1 of 5".into()]);
        page.node(&[false], &["other".into()]);
        let tree = "alice\n├─ planner\n│  ends soon\n│  └─ researcher\n│     1 of 5\n└─ other\n";
        assert_eq!(page.into_text(), tree);
    }
}
