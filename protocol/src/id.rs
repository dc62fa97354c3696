//! UUIDv7 names of things that are made. Things that are content have a [digest](crate::digest).

use std::fmt;

use rand_core::RngCore;
use thiserror::Error;
use uuid::{Builder, Uuid, Variant, Version};

use crate::{digest::tagged_hash, time::Timestamp};

/// The bytes or text are not a UUID of version 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a UUID of version 7")]
pub struct NotUuid7;

macro_rules! uuid7 {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new one from the time and 74 random bits.
            pub fn new(now: Timestamp, rng: &mut dyn RngCore) -> Self {
                let mut random = [0; 10];
                rng.fill_bytes(&mut random);
                Self(Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
            }

            /// The one that no other comes before.
            pub fn first() -> Self {
                Self(Builder::from_unix_timestamp_millis(0, &[0; 10]).into_uuid())
            }

            /// When it says it was made; `None` outside what a [`Timestamp`] can be.
            pub fn time(&self) -> Option<Timestamp> {
                Timestamp::new((self.0.as_u128() >> 80) as u64)
            }

            /// The 16 bytes.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = NotUuid7;

            fn try_from(bytes: &[u8]) -> Result<Self, NotUuid7> {
                Uuid::from_slice(bytes).ok().and_then(version_7).map(Self).ok_or(NotUuid7)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotUuid7;

            fn from_str(text: &str) -> Result<Self, NotUuid7> {
                let uuid = Uuid::try_parse(text).ok().and_then(version_7).ok_or(NotUuid7)?;
                // One text for one id: hyphenated lower case.
                if uuid.hyphenated().to_string() == text { Ok(Self(uuid)) } else { Err(NotUuid7) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        $crate::blob!($name);
    };
}

uuid7!(
    /// One grant.
    GrantId
);
uuid7!(
    /// One ledger of a trust domain that goes on from a backup; the first has no such name.
    LogId
);
uuid7!(
    /// One negotiation between two instances.
    NegotiationId
);
uuid7!(
    /// One request to several delegators, of whom one is accepted.
    AwardId
);
uuid7!(
    /// One contract, from its first offer on.
    ContractId
);
uuid7!(
    /// One invocation, kept across retries.
    InvocationId
);
uuid7!(
    /// One session: many invocations under one proof.
    SessionId
);
uuid7!(
    /// Makes a write idempotent: the same id with the same content has the same answer.
    RequestId
);
uuid7!(
    /// One running copy of a principal.
    InstanceUuid
);

impl InvocationId {
    /// The invocation that a session's request is: whoever knows session and number knows the id (SES-004).
    pub fn in_session(session: SessionId, seq: u64) -> Self {
        let hash =
            tagged_hash("countersign session invocation v1", &[session.as_bytes(), &seq.to_be_bytes()]);
        let mut random = [0; 10];
        random.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        let made = (session.0.as_u128() >> 80) as u64;
        Self(Builder::from_unix_timestamp_millis(made, &random).into_uuid())
    }
}

fn version_7(uuid: Uuid) -> Option<Uuid> {
    let is_7 = uuid.get_version() == Some(Version::SortRand) && uuid.get_variant() == Variant::RFC4122;
    is_7.then_some(uuid)
}
