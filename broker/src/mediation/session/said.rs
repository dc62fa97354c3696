//! What caller and callee say in a session, read from the wire.

use countersign_protocol::{
    capability::Arguments,
    digest::Digest,
    limits::BODY_MAX_BYTES,
    payload::{Malformed, Payload},
    refusal::{Reason, Refusal},
    require,
    session::{SessionRequest, SessionResult},
    signed::Signed,
};
use countersign_wire::v1::{OpenSessionRequest, ServedSession, SessionCall, SessionReply};

/// A word of the caller after the opening.
#[derive(Debug)]
pub(super) enum Said {
    /// A request, of which nothing is verified.
    Call(Box<Asked>),
    /// The head of all requests so far.
    Head(Signed),
    /// Nothing more is asked.
    Close,
}

/// A request that has the right form.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: SessionRequest,
    pub(super) arguments: Arguments,
    pub(super) call: SessionCall,
}

impl Said {
    pub(super) fn read(message: OpenSessionRequest) -> Result<Self, Refusal> {
        let malformed = |why: &str| Refusal::new("SES-038", Reason::PayloadMalformed, why);
        let OpenSessionRequest { trust_domain, token, opening, call, head, close } = message;
        let again = !trust_domain.is_empty() || !token.is_empty() || !opening.is_empty();
        match (again, call, head.is_empty(), close) {
            (false, Some(call), true, false) => Asked::read(call).map(Box::new).map(Self::Call),
            (false, None, false, false) => signed(&head).map(Self::Head),
            (false, None, true, true) => Ok(Self::Close),
            _ => Err(malformed("A message in a session holds a request, a head or the close.")),
        }
    }
}

impl Asked {
    fn read(call: SessionCall) -> Result<Self, Refusal> {
        let size = call.body.len();
        require!("LIM-010", size <= BODY_MAX_BYTES, Reason::LimitExceeded, "The body has {size} bytes.");
        let request = SessionRequest::from_bytes(&call.request).map_err(not_read)?;
        let arguments = Arguments::from_bytes(&call.arguments).map_err(not_read)?;
        require!("SES-038", call.mac.len() == 32, Reason::PayloadMalformed, "A MAC has 32 bytes.");
        Ok(Self { request, arguments, call })
    }

    /// The room that it takes until it is forwarded.
    pub(super) fn kib(&self) -> u32 {
        let bytes = self.call.request.len() + self.call.arguments.len() + self.call.body.len();
        u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
    }
}

/// A word of the callee after its answer.
#[derive(Debug)]
pub(super) enum Told {
    /// A result that vouches for the body that came with it.
    Reply(Box<SessionResult>, SessionReply),
    /// The head of all results so far.
    Head(Signed),
    /// It takes no further part.
    Leave,
}

impl Told {
    pub(super) fn read(said: ServedSession) -> Result<Self, Refusal> {
        let fault = |why: &str| Refusal::new("SES-044", Reason::CalleeFault, why);
        let ServedSession { session_id: _, answer, reply, head, leave } = said;
        match (answer.is_empty(), reply, head.is_empty(), leave) {
            (true, Some(reply), true, false) => {
                let result = SessionResult::from_bytes(&reply.result);
                let result = result.map_err(|error| fault(&error.to_string()))?;
                let size = reply.body.len();
                let fits = size <= BODY_MAX_BYTES;
                require!("SES-044", fits, Reason::CalleeFault, "The body has {size} bytes.");
                let same = result.result == Digest::of(&reply.body);
                require!("SES-044", same, Reason::CalleeFault, "It is for another body.");
                require!("SES-044", reply.mac.len() == 32, Reason::CalleeFault, "A MAC has 32 bytes.");
                Ok(Self::Reply(Box::new(result), reply))
            }
            (true, None, false, false) => {
                Signed::from_bytes(&head).map(Self::Head).map_err(|error| fault(&error.to_string()))
            }
            (true, None, true, true) => Ok(Self::Leave),
            _ => Err(fault("A message in a session holds a result, a head or the leave.")),
        }
    }
}

/// The callee's answer to an opening.
pub(super) fn answer(said: ServedSession) -> Result<Signed, Refusal> {
    let ServedSession { answer, reply, head, leave, .. } = said;
    let gone = Reason::CalleeUnavailable;
    require!("SES-023", !leave, gone, "The callee does not take the session.");
    let alone = reply.is_none() && head.is_empty();
    require!("SES-020", alone, Reason::CalleeFault, "It says something else before its answer.");
    let read = Signed::from_bytes(&answer);
    read.map_err(|error| Refusal::new("SES-020", Reason::CalleeFault, format!("{error}.")))
}

fn signed(bytes: &[u8]) -> Result<Signed, Refusal> {
    Signed::from_bytes(bytes).map_err(not_read)
}

fn not_read(error: Malformed) -> Refusal {
    Refusal::new("CONV-010", Reason::PayloadMalformed, format!("{error}."))
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{capability::Amount, receipt::ActionOutcome, time::Timestamp};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::new(countersign_forge::START_MS).unwrap()
    }

    fn call(body: usize, mac: usize) -> SessionCall {
        let request = SessionRequest {
            seq: 1,
            action: "read".parse().unwrap(),
            resource: "file:/data".parse().unwrap(),
            arguments: Digest::of(b""),
            deadline: now(),
        };
        let arguments = Arguments::new(Vec::new()).unwrap();
        SessionCall {
            request: request.to_bytes(),
            arguments: arguments.to_bytes(),
            body: vec![0; body],
            mac: vec![0; mac],
        }
    }

    /// The rule that such a message is refused by.
    fn refused<T>(read: Result<T, Refusal>) -> Option<&'static str> {
        read.err().map(|refusal| refusal.rule())
    }

    #[test]
    fn a_request_has_a_whole_mac_and_a_body_within_its_limit() {
        let read = |body, mac| {
            let message = OpenSessionRequest { call: Some(call(body, mac)), ..Default::default() };
            refused(Said::read(message))
        };
        assert_eq!(read(BODY_MAX_BYTES, 32), None, "the twin");
        assert_eq!(read(BODY_MAX_BYTES + 1, 32), Some("LIM-010"));
        assert_eq!((read(0, 31), read(0, 33)), (Some("SES-038"), Some("SES-038")));
    }

    #[test]
    fn a_result_vouches_for_a_body_within_the_limit_and_has_a_whole_mac() {
        let read = |body: usize, other: usize, mac: usize| {
            let result = SessionResult {
                number: 1,
                seq: 1,
                request: countersign_protocol::digest::SessionLink::from_bytes([7; 32]),
                outcome: ActionOutcome::Done,
                result: Digest::of(&vec![0; other]),
                cost: Amount::ZERO,
                finished: now(),
            };
            let reply = SessionReply {
                result: result.to_bytes(),
                body: vec![0; body],
                mac: vec![0; mac],
                ..Default::default()
            };
            refused(Told::read(ServedSession { reply: Some(reply), ..Default::default() }))
        };
        assert_eq!(read(BODY_MAX_BYTES, BODY_MAX_BYTES, 32), None, "the twin");
        assert_eq!(read(BODY_MAX_BYTES + 1, BODY_MAX_BYTES + 1, 32), Some("SES-044"));
        assert_eq!((read(1, 2, 32), read(1, 1, 31)), (Some("SES-044"), Some("SES-044")));
    }

    #[test]
    fn an_answer_is_a_statement_and_comes_before_anything_else() {
        let good = Signed { payload_type: "test/answer".into(), payload: vec![1], signatures: Vec::new() };
        let said = ServedSession { answer: good.to_bytes(), ..Default::default() };
        assert_eq!(refused(answer(said.clone())), None, "the twin");
        let early = ServedSession { reply: Some(SessionReply::default()), ..said.clone() };
        assert_eq!(refused(answer(early)), Some("SES-020"));
        assert_eq!(refused(answer(ServedSession { head: vec![1], ..said.clone() })), Some("SES-020"));
        assert_eq!(refused(answer(ServedSession { answer: vec![7], ..said.clone() })), Some("SES-020"));
        assert_eq!(refused(answer(ServedSession { leave: true, ..said })), Some("SES-023"));
    }
}
