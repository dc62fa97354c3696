//! The one way in which signed formats grow (CONV-018).

use crate::{
    code_enum,
    limits::{EXTENSION_MAX_BYTES, EXTENSIONS_MAX},
    name::Word,
    payload,
    payload::Bounded,
    refusal::{Reason, Refusal},
    require,
};

code_enum! {
    /// What a reader does that does not know an extension.
    pub enum Criticality {
        /// It refuses the statement.
        Critical = 1,
        /// It leaves the extension unread.
        Ignorable = 2,
    }
}

payload! {
    /// Something that this version does not define.
    pub struct Extension {
        /// What it is.
        1 => pub id: Word,
        /// What to do where it is unknown.
        2 => pub criticality: Criticality,
        /// Its content.
        3 => pub bytes: Vec<u8>,
    }
    valid_if Extension::fits;
}

impl Extension {
    fn fits(&self) -> bool {
        self.bytes.len() <= EXTENSION_MAX_BYTES
    }
}

payload! {
    /// Extensions in ascending order of their ids, each id once.
    pub struct Extensions {
        1 => list: Bounded<Extension, 0, EXTENSIONS_MAX>,
    }
    valid_if Extensions::ids_ascend;
}

impl Extensions {
    /// Nothing beyond this version.
    pub fn none() -> Self {
        Self { list: Bounded::default() }
    }

    /// Extensions in ascending order of their ids; `None` where they are not, or one is too long.
    pub fn new(extensions: Vec<Extension>) -> Option<Self> {
        let extensions = Self { list: Bounded::new(extensions).ok()? };
        (extensions.ids_ascend() && extensions.list.iter().all(Extension::fits)).then_some(extensions)
    }

    fn ids_ascend(&self) -> bool {
        self.list.is_sorted_by(|a, b| a.id < b.id)
    }

    /// Refuses an unknown critical extension; this version knows none.
    pub fn check(&self) -> Result<(), Refusal> {
        for extension in self.list.iter() {
            require!(
                "CONV-018",
                extension.criticality == Criticality::Ignorable,
                Reason::ExtensionUnknown,
                "It is {}.",
                extension.id
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    /// Attack line 17: a receipt that is blown up by extensions must still fit an entry of the ledger.
    #[test]
    fn extensions_leave_room_for_the_statement_that_carries_them() {
        let extension = |id: usize, bytes| Extension {
            id: format!("later.{id}").parse().unwrap(),
            criticality: Criticality::Ignorable,
            bytes: vec![1; bytes],
        };
        let read = |extensions: Vec<Extension>| {
            let unchecked = Extensions { list: Bounded::new(extensions.clone()).unwrap() };
            let read = Extensions::from_bytes(&unchecked.to_bytes()).ok();
            assert_eq!(Extensions::new(extensions), read);
            read.map(|extensions| extensions.to_bytes().len())
        };
        assert_eq!(read(vec![extension(0, EXTENSION_MAX_BYTES + 1)]), None);
        let most = (0..EXTENSIONS_MAX).map(|id| extension(id, EXTENSION_MAX_BYTES)).collect();
        assert!(read(most).unwrap() < crate::limits::PAYLOAD_MAX_BYTES * 3 / 4, "the twin");
    }
}
