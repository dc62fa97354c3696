//! The entries of a bundle that are of a session.

use std::collections::BTreeMap;

use super::collect::Recorded;
use crate::{
    domain::{Event, SessionAnswered, SessionIntent, SessionOpened, SessionResulted, SessionSigned},
    id::SessionId,
    ledger::LeafIndex,
    refusal::{Reason, Refusal},
    require, require_some,
    session::{SessionHead, SessionRequest, SessionResult, Side},
    signed::Signed,
    time::Timestamp,
};

const INVALID: Reason = Reason::BundleInvalid;

/// What was said in a session from one request and its result on, nothing twice.
#[derive(Debug, Default)]
pub(super) struct SessionEntries {
    opened: Option<Recorded<SessionOpened>>,
    answered: Option<Recorded<SessionAnswered>>,
    /// Requests by their number, with the INTENT of those that were permitted.
    requests: BTreeMap<u64, (SessionId, SessionRequest, Option<Recorded<SessionIntent>>)>,
    results: BTreeMap<u64, Recorded<SessionResulted>>,
    heads: BTreeMap<Side, Recorded<SessionSigned>>,
}

impl SessionEntries {
    /// Adds an entry, and says whether there was one in its place; `None` where it is of no session.
    pub(super) fn add(&mut self, leaf: LeafIndex, at: Timestamp, event: Event) -> Option<bool> {
        Some(match event {
            Event::SessionOpened(event) => self.opened.replace(Recorded { leaf, at, event }).is_some(),
            Event::SessionAnswered(event) => self.answered.replace(Recorded { leaf, at, event }).is_some(),
            Event::SessionIntent(event) => {
                let (session, request) = (event.session_id, event.request.clone());
                let intent = Some(Recorded { leaf, at, event });
                self.requests.insert(request.seq, (session, request, intent)).is_some()
            }
            Event::SessionPassed(event) => {
                let (session, request) = (event.session_id, event.request);
                self.requests.insert(request.seq, (session, request, None)).is_some()
            }
            Event::SessionResulted(event) => {
                self.results.insert(event.result.number, Recorded { leaf, at, event }).is_some()
            }
            Event::SessionSigned(event) => {
                let head: SessionHead = event.head.peek_unverified().ok()?;
                self.heads.insert(head.side, Recorded { leaf, at, event }).is_some()
            }
            _ => return None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_none()
            && self.answered.is_none()
            && self.requests.is_empty()
            && self.results.is_empty()
            && self.heads.is_empty()
    }

    pub(super) fn opened(&self) -> Result<&Recorded<SessionOpened>, Refusal> {
        Ok(require_some!("LOG-034", self.opened.as_ref(), INVALID, "The session's opening is missing."))
    }

    pub(super) fn answered(&self) -> Result<&Recorded<SessionAnswered>, Refusal> {
        Ok(require_some!("LOG-034", self.answered.as_ref(), INVALID, "The session's answer is missing."))
    }

    /// The INTENT that is explained: the first request shown. What follows it is of the same session, and
    /// without a gap.
    pub(super) fn intent(&self) -> Result<&Recorded<SessionIntent>, Refusal> {
        let first = self.requests.first_key_value().and_then(|(_, (_, _, intent))| intent.as_ref());
        let intent = require_some!("LOG-034", first, INVALID, "The INTENT is missing.");
        let id = intent.event.session_id;
        let own = self.requests.values().all(|(session, ..)| *session == id)
            && self.results.values().all(|result| result.event.session_id == id);
        require!("LOG-034", own, INVALID, "Something is of another session.");
        let whole = is_without_gap(self.requests.keys()) && is_without_gap(self.results.keys());
        require!("LOG-034", whole, INVALID, "Something between what is shown is missing.");
        Ok(intent)
    }

    /// The result that is explained: the first one shown.
    pub(super) fn resulted(&self) -> Option<&Recorded<SessionResulted>> {
        self.results.first_key_value().map(|(_, result)| result)
    }

    pub(super) fn requests_after(&self, count: u64) -> impl Iterator<Item = &SessionRequest> {
        self.requests.iter().filter(move |(seq, _)| **seq > count).map(|(_, (_, request, _))| request)
    }

    pub(super) fn results_after(&self, count: u64) -> impl Iterator<Item = &SessionResult> {
        self.results.iter().filter(move |(number, _)| **number > count).map(|(_, it)| &it.event.result)
    }

    /// What that side signed, if a head is shown.
    pub(super) fn head(&self, side: Side) -> Option<&Signed> {
        self.heads.get(&side).map(|head| &head.event.head)
    }

    /// Whether a head is shown for results of which none is.
    pub(super) fn is_superfluous(&self) -> bool {
        self.results.is_empty() && self.heads.contains_key(&Side::Callee)
    }
}

fn is_without_gap<'a>(numbers: impl Iterator<Item = &'a u64> + Clone) -> bool {
    let next = numbers.clone().skip(1);
    numbers.zip(next).all(|(number, next)| number.checked_add(1) == Some(*next))
}
