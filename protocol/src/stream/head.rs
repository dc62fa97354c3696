//! What each side of a stream signs with each chunk, and what the two come to.

use crate::{
    code_enum,
    digest::{Digest, StreamLink, tagged_hash},
    extension::Extensions,
    id::InvocationId,
    key::PublicKey,
    name::TrustDomain,
    payload,
    payload::Payload,
    session::Side,
    signed::{NotOpened, Signed, Statement},
    time::Timestamp,
};

payload! {
    /// Everything that one side has sent so far (STR-001).
    pub struct StreamSum {
        /// How many chunks,
        1 => pub count: u64,
        /// how many bytes,
        2 => pub bytes: u64,
        /// and the running hash of them.
        3 => pub link: StreamLink,
    }
}

impl StreamSum {
    /// Before anything was sent: named by the proof, which is used once, so no two streams, and no two
    /// sides of one, have a link in common.
    pub fn begin(side: Side, proof: &Digest) -> Self {
        let tag = match side {
            Side::Caller => "countersign stream requests v1",
            Side::Callee => "countersign stream results v1",
        };
        let link = StreamLink::from_bytes(tagged_hash(tag, &[proof.as_bytes()]));
        Self { count: 0, bytes: 0, link }
    }

    /// With one more chunk.
    pub fn with(&self, chunk: &[u8]) -> Self {
        let link = tagged_hash("countersign stream link v1", &[self.link.as_bytes(), chunk]);
        Self {
            count: self.count.saturating_add(1),
            bytes: self.bytes.saturating_add(chunk.len() as u64),
            link: StreamLink::from_bytes(link),
        }
    }
}

code_enum! {
    /// Whether anything comes after a chunk.
    pub enum Part {
        /// There may be more.
        Further = 1,
        /// It is the last one of its side.
        Last = 2,
    }
}

payload! {
    /// One side's signature over a chunk and everything that it sent before it.
    pub struct StreamHead {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The invocation.
        2 => pub invocation_id: InvocationId,
        /// Whose chunks.
        3 => pub side: Side,
        /// All of them, this one included.
        4 => pub sum: StreamSum,
        /// Whether this one is the last.
        5 => pub part: Part,
        /// When it was signed.
        6 => pub signed: Timestamp,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

impl Statement for StreamHead {
    const TYPE: &'static str = "application/vnd.countersign.stream-head.v1";
}

payload! {
    /// What a stream came to: the receipt's result is its SHA-256.
    pub struct StreamAccount {
        /// What the callee received of the caller's chunks,
        1 => pub received: StreamSum,
        /// and all that it sent itself.
        2 => pub sent: StreamSum,
    }
}

impl StreamAccount {
    /// What the receipt of a stream names as its result.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

/// A head whose signature was verified.
#[derive(Clone, Debug)]
pub struct OpenedHead {
    signed: Signed,
    head: StreamHead,
    by: PublicKey,
}

impl OpenedHead {
    /// Verifies that it is signed by exactly that key. Whether it should be is the reader's question.
    pub fn open(signed: Signed, key: PublicKey) -> Result<Self, NotOpened> {
        Ok(Self { head: signed.open(&[key])?, signed, by: key })
    }

    /// As it was signed.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// What it covers.
    pub fn sum(&self) -> &StreamSum {
        &self.head.sum
    }

    /// Whether its chunk is the last of its side.
    pub fn is_last(&self) -> bool {
        self.head.part == Part::Last
    }

    /// Whether it is that side's word on that invocation, and has nothing critical that is unknown here.
    pub(crate) fn is_of(&self, domain: &TrustDomain, id: InvocationId, side: Side, by: PublicKey) -> bool {
        let head = &self.head;
        let subject = (&head.domain, head.invocation_id, head.side) == (domain, id, side);
        subject && self.by == by && head.extensions.check().is_ok()
    }
}

/// The heads that a stream ended with.
#[derive(Clone, Debug)]
pub struct StreamHeads {
    /// The caller's, of what the callee had received when it ended; none where that was nothing.
    pub asked: Option<OpenedHead>,
    /// The callee's last one.
    pub told: OpenedHead,
}

impl StreamHeads {
    /// What the callee's receipt has to say.
    pub fn account(&self, proof: &Digest) -> StreamAccount {
        let asked = self.asked.as_ref().map(|asked| asked.sum().clone());
        let received = asked.unwrap_or_else(|| StreamSum::begin(Side::Caller, proof));
        StreamAccount { received, sent: self.told.sum().clone() }
    }
}
