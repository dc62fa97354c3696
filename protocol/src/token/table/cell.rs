//! One constraint, compiled.

use crate::{
    capability::{Arguments, Constraint, HostPattern, IntRange, IntSet, IpName, PathName, Rule, Text, Value},
    limits::CHOICES_MAX,
    name::Word,
    payload::Ascending,
};

/// What one argument must be. An argument that is absent, or of another type, is not it.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    argument: Word,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    IntRange(IntRange),
    IntIn(IntSet),
    IpIn(Block),
    PathUnder(PathName),
    TextIn(Ascending<Text, 1, CHOICES_MAX>),
    UrlUnder(Prefix),
}

/// Addresses of `width` bits that differ from `first` in the last `free` bits alone.
#[derive(Clone, Debug)]
struct Block {
    width: u32,
    first: u128,
    free: u32,
}

#[derive(Clone, Debug)]
struct Prefix {
    port: u32,
    scheme: Word,
    host: HostPattern,
    closed_path: Box<str>,
}

impl Cell {
    pub(super) fn compile(constraint: &Constraint) -> Self {
        let wanted = match &constraint.rule {
            Rule::IntRange(range) => Wanted::IntRange(range.clone()),
            Rule::IntIn(choices) => Wanted::IntIn(choices.clone()),
            Rule::IpIn(block) => {
                let (base, length) = block.base();
                let (width, first) = base.to_number();
                Wanted::IpIn(Block { width, first, free: width.saturating_sub(length) })
            }
            Rule::PathUnder(top) => Wanted::PathUnder(top.clone()),
            Rule::TextIn(choices) => Wanted::TextIn(choices.clone()),
            Rule::UrlUnder(prefix) => Wanted::UrlUnder(Prefix {
                port: prefix.port,
                scheme: prefix.scheme.clone(),
                host: prefix.host.clone(),
                closed_path: prefix.path.closed().into(),
            }),
        };
        Self { argument: constraint.argument.clone(), wanted }
    }

    /// What it costs to ask, to compare cells by: a number, one text, several texts.
    pub(super) fn price(&self) -> usize {
        match &self.wanted {
            Wanted::IntRange(_) | Wanted::IntIn(_) | Wanted::IpIn(_) => 1,
            Wanted::PathUnder(_) | Wanted::TextIn(_) => 2,
            Wanted::UrlUnder(_) => 4,
        }
    }

    pub(super) fn holds(&self, arguments: &Arguments) -> bool {
        match (&self.wanted, arguments.get(&self.argument)) {
            (Wanted::IntRange(range), Some(Value::Int(number))) => range.holds(*number),
            (Wanted::IntIn(choices), Some(Value::Int(number))) => {
                choices.as_slice().binary_search(number).is_ok()
            }
            (Wanted::IpIn(block), Some(Value::Ip(address))) => block.holds(*address),
            (Wanted::PathUnder(top), Some(Value::Path(path))) => path.is_at_or_beneath(top),
            (Wanted::TextIn(choices), Some(Value::Text(text))) => choices.has(text),
            (Wanted::UrlUnder(prefix), Some(Value::Url(url))) => {
                let url = url.parts();
                u32::from(url.port) == prefix.port
                    && url.scheme == prefix.scheme.as_str()
                    && url.closed_path.starts_with(&*prefix.closed_path)
                    && prefix.host.holds(&url.host)
            }
            _ => false,
        }
    }
}

impl Block {
    fn holds(&self, address: IpName) -> bool {
        let (width, number) = address.to_number();
        // Where all bits are free the shift is as wide as the number, and nothing is left to differ.
        width == self.width && (number ^ self.first).checked_shr(self.free).unwrap_or(0) == 0
    }
}
