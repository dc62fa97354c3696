//! What caller and callee say in a stream, read from the wire.

use countersign_protocol::{
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::Signed,
};
use countersign_wire::v1::{InvokeRequest, InvokeStreamRequest, ServedStream, StreamChunk};

/// One word of either side after the beginning.
#[derive(Debug)]
pub(super) enum Said {
    /// Its next chunk, and the head that came with it, of which nothing is verified.
    Chunk(StreamChunk, Signed),
    /// How many chunks of the other side it has taken.
    Taken(u64),
}

/// The invocation that a stream begins with.
pub(super) fn first(message: InvokeStreamRequest) -> Result<InvokeRequest, Refusal> {
    let InvokeStreamRequest { trust_domain, token, proof, arguments, chunk, taken } = message;
    if chunk.is_some() || taken > 0 {
        return Err(malformed("Something came before the invocation."));
    }
    Ok(InvokeRequest { trust_domain, token, proof, arguments, body: Vec::new() })
}

impl Said {
    pub(super) fn by_caller(message: InvokeStreamRequest) -> Result<Self, Refusal> {
        let InvokeStreamRequest { trust_domain, token, proof, arguments, chunk, taken } = message;
        let again =
            !(trust_domain.is_empty() && token.is_empty() && proof.is_empty() && arguments.is_empty());
        if again {
            return Err(malformed("The invocation comes a second time."));
        }
        Self::read(chunk, taken)
    }

    pub(super) fn by_callee(message: ServedStream) -> Result<Self, Refusal> {
        Self::read(message.chunk, message.taken)
    }

    fn read(chunk: Option<StreamChunk>, taken: u64) -> Result<Self, Refusal> {
        match (chunk, taken) {
            (Some(chunk), 0) => {
                let head = Signed::from_bytes(&chunk.head);
                let head = head.map_err(|error| malformed(&format!("A head: {error}.")))?;
                Ok(Self::Chunk(chunk, head))
            }
            (None, taken) if taken > 0 => Ok(Self::Taken(taken)),
            _ => Err(malformed("A message in a stream holds a chunk or what was taken.")),
        }
    }
}

fn malformed(why: &str) -> Refusal {
    Refusal::new("STR-031", Reason::PayloadMalformed, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> StreamChunk {
        let head = Signed { payload_type: "test/head".into(), payload: vec![1], signatures: Vec::new() };
        StreamChunk { data: vec![1], head: head.to_bytes() }
    }

    fn rule<T>(read: Result<T, Refusal>) -> Option<&'static str> {
        read.err().map(|refusal| refusal.rule())
    }

    #[test]
    fn a_stream_begins_with_the_invocation_and_nothing_else() {
        let bare = InvokeStreamRequest { token: vec![1], ..Default::default() };
        assert_eq!(rule(first(bare.clone())), None, "the twin");
        assert_eq!(rule(first(InvokeStreamRequest { taken: 1, ..bare.clone() })), Some("STR-031"));
        assert_eq!(rule(first(InvokeStreamRequest { chunk: Some(chunk()), ..bare })), Some("STR-031"));
    }

    #[test]
    fn a_later_message_holds_one_thing() {
        let say = |message| rule(Said::by_caller(message));
        let good = InvokeStreamRequest { chunk: Some(chunk()), ..Default::default() };
        assert_eq!(say(good.clone()), None, "the twin");
        assert_eq!(say(InvokeStreamRequest { taken: 1, ..Default::default() }), None, "another");
        assert_eq!(say(InvokeStreamRequest { taken: 1, ..good.clone() }), Some("STR-031"));
        assert_eq!(say(InvokeStreamRequest::default()), Some("STR-031"));
        for again in [
            InvokeStreamRequest { trust_domain: "acme.example".into(), ..good.clone() },
            InvokeStreamRequest { token: vec![1], ..good.clone() },
            InvokeStreamRequest { proof: vec![1], ..good.clone() },
            InvokeStreamRequest { arguments: vec![1], ..good.clone() },
            InvokeStreamRequest { chunk: Some(StreamChunk { head: vec![7], ..chunk() }), ..good },
        ] {
            assert_eq!(say(again), Some("STR-031"));
        }
        let answered = ServedStream { taken: 1, chunk: Some(chunk()), ..Default::default() };
        assert_eq!(rule(Said::by_callee(answered)), Some("STR-031"));
    }
}
