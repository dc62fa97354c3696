//! The two ends of one side's chunks: who sends them, and who verifies them.

use super::{OpenedHead, Part, StreamHead, StreamSum};
use crate::{
    digest::Digest,
    extension::Extensions,
    id::InvocationId,
    key::PublicKey,
    limits::{STREAM_CHUNK_MAX_BYTES, STREAM_CHUNKS_MAX, STREAM_MAX_BYTES},
    name::TrustDomain,
    refusal::{Reason, Refusal},
    require,
    session::Side,
    signed::Signed,
    time::Timestamp,
    token::Proof,
};

/// Which side of which stream.
#[derive(Clone, Debug)]
struct Place {
    domain: TrustDomain,
    id: InvocationId,
    side: Side,
}

impl Place {
    fn of(proof: &Proof, side: Side) -> Self {
        Self { domain: proof.domain.clone(), id: proof.invocation_id, side }
    }
}

/// One side's chunks as they come in. Broker, callee and caller verify them alike.
#[derive(Clone, Debug)]
pub struct StreamReader {
    of: Place,
    key: PublicKey,
    pub(super) sum: StreamSum,
    is_over: bool,
}

impl StreamReader {
    /// Of the stream that this proof began, whose digest that is, by the key of that side's instance.
    pub fn new(proof: &Proof, digest: &Digest, side: Side, key: PublicKey) -> Self {
        Self { of: Place::of(proof, side), key, sum: StreamSum::begin(side, digest), is_over: false }
    }

    /// Everything so far.
    pub fn sum(&self) -> &StreamSum {
        &self.sum
    }

    /// Whether the last chunk has come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes the next chunk, if it is the next one, and that side's.
    pub fn take(&mut self, chunk: &[u8], signed: Signed) -> Result<OpenedHead, Refusal> {
        let (malformed, invalid, limit) =
            (Reason::PayloadMalformed, Reason::ProofInvalid, Reason::LimitExceeded);
        require!("STR-010", !self.is_over, malformed, "It came after the last one.");
        let size = chunk.len();
        require!("STR-011", size <= STREAM_CHUNK_MAX_BYTES, limit, "A chunk has {size} bytes.");
        let head = OpenedHead::open(signed, self.key)
            .map_err(|error| Refusal::new("STR-012", Reason::ProofInvalid, format!("A chunk: {error}.")))?;
        let Place { domain, id, side } = &self.of;
        let ours = head.is_of(domain, *id, *side, self.key);
        require!("STR-013", ours, invalid, "A chunk is of another stream or side.");
        let sum = self.sum.with(chunk);
        require!("STR-014", *head.sum() == sum, invalid, "Its head is for other chunks than were sent.");
        let says = size > 0 || head.is_last();
        require!("STR-015", says, malformed, "A chunk is empty that is not the last one.");
        let few = sum.count <= STREAM_CHUNKS_MAX && sum.bytes <= STREAM_MAX_BYTES;
        require!("STR-016", few, limit, "It sends {} chunks with {} bytes.", sum.count, sum.bytes);
        self.sum = sum;
        self.is_over = head.is_last();
        Ok(head)
    }
}

/// One side's chunks as they go out.
#[derive(Clone, Debug)]
pub struct StreamWriter {
    of: Place,
    pub(super) sum: StreamSum,
}

impl StreamWriter {
    /// Of the stream that this proof began, whose digest that is.
    pub fn new(proof: &Proof, digest: &Digest, side: Side) -> Self {
        Self { of: Place::of(proof, side), sum: StreamSum::begin(side, digest) }
    }

    /// Everything so far.
    pub fn sum(&self) -> &StreamSum {
        &self.sum
    }

    /// What that side signs with the next chunk.
    pub fn next(&mut self, chunk: &[u8], part: Part, now: Timestamp) -> StreamHead {
        self.sum = self.sum.with(chunk);
        let Place { domain, id, side } = self.of.clone();
        let (sum, extensions) = (self.sum.clone(), Extensions::none());
        StreamHead { domain, invocation_id: id, side, sum, part, signed: now, extensions }
    }
}
