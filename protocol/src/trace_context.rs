//! Whose trace a call belongs to, as W3C Trace Context writes it.
//!
//! It is what a caller says, unsigned, for people who look at traces: nothing is decided by it, nothing in
//! the ledger holds it, and it identifies nobody.

/// Bytes of version 00: two of the version, and trace, parent and flags, each after a hyphen.
const TRACEPARENT_BYTES: usize = 55;

/// Bytes and members of a `tracestate`: what W3C asks everyone to pass on, and its bound.
const TRACESTATE_MAX_BYTES: usize = 512;
const TRACESTATE_MAX_MEMBERS: usize = 32;

/// A `traceparent` and the `tracestate` beside it, both in the form that everyone may pass on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    parent: String,
    state: String,
}

impl TraceContext {
    /// Reads what came with a call. A `traceparent` that is none leaves nothing; a `tracestate` that is none,
    /// or longer than everyone passes on, is left out.
    pub fn read(traceparent: &str, tracestate: &str) -> Option<Self> {
        if !is_traceparent(traceparent) {
            return None;
        }
        let state = if is_tracestate(tracestate) { tracestate } else { "" };
        Some(Self { parent: traceparent.to_owned(), state: state.to_owned() })
    }

    /// The `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// The `tracestate`; empty where there is none.
    pub fn tracestate(&self) -> &str {
        &self.state
    }

    /// The trace, the span and the flags in the `traceparent`, each in hexadecimal digits.
    pub fn parts(&self) -> (&str, &str, &str) {
        let mut parts = self.parent.split('-').skip(1);
        let mut part = || parts.next().unwrap_or_default();
        (part(), part(), part())
    }
}

fn is_traceparent(text: &str) -> bool {
    let digits = |part: &str, count: usize| {
        part.len() == count && part.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    let says_something = |part: &str| part.bytes().any(|it| it != b'0');
    let mut parts = text.split('-');
    let mut part = || parts.next().unwrap_or_default();
    let (version, trace, span, flags) = (part(), part(), part(), part());
    // Of a later version nothing is known but that it may be longer.
    text.len() == TRACEPARENT_BYTES
        && version == "00"
        && digits(trace, 32)
        && says_something(trace)
        && digits(span, 16)
        && says_something(span)
        && digits(flags, 2)
}

fn is_tracestate(text: &str) -> bool {
    let members = text.split(',').count();
    let printable = text.bytes().all(|it| matches!(it, b' '..=b'~' | b'\t'));
    let pairs = text.split(',').all(|member| member.trim().is_empty() || member.contains('='));
    text.len() <= TRACESTATE_MAX_BYTES && members <= TRACESTATE_MAX_MEMBERS && printable && pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_no_traceparent_leaves_nothing() {
        let read = TraceContext::read(GOOD, "vendor=1").unwrap();
        assert_eq!((read.traceparent(), read.tracestate()), (GOOD, "vendor=1"));
        assert_eq!(read.parts(), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01"));
        for bad in [
            "",
            "00",
            &GOOD[1..],
            &format!("{GOOD}-x"),
            &format!("{GOOD} "),
            &GOOD.replace("00-4b", "01-4b"),
            &GOOD.replace("00-4b", "ff-4b"),
            &GOOD.to_uppercase(),
            &GOOD.replace('4', "g"),
            &GOOD.replace("-01", "-0x"),
            &GOOD.replace("00f067aa0ba902b7", "0000000000000000"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7é",
        ] {
            assert_eq!(TraceContext::read(bad, ""), None, "{bad}");
        }
    }

    #[test]
    fn a_tracestate_that_is_none_or_too_long_is_left_out() {
        let state = |text: &str| TraceContext::read(GOOD, text).unwrap().tracestate().len();
        let long = |bytes: usize| format!("a={}", "b".repeat(bytes - 2));
        assert_eq!(state(&long(TRACESTATE_MAX_BYTES)), TRACESTATE_MAX_BYTES);
        assert_eq!(state(&long(TRACESTATE_MAX_BYTES + 1)), 0);
        let many = |members: usize| vec!["a=1"; members].join(",");
        assert_eq!(state(&many(TRACESTATE_MAX_MEMBERS)), many(TRACESTATE_MAX_MEMBERS).len());
        assert_eq!(state(&many(TRACESTATE_MAX_MEMBERS + 1)), 0);
        for bad in ["a=1\nb=2", "a=\u{e9}", "a", "a=1,b"] {
            assert_eq!(state(bad), 0, "{bad}");
        }
    }
}
