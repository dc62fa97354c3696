//! The one way in which signed formats grow (CONV-018).

use crate::{
    code_enum,
    limits::EXTENSIONS_MAX,
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

    /// Extensions in ascending order of their ids; `None` where they are not.
    pub fn new(extensions: Vec<Extension>) -> Option<Self> {
        let extensions = Self { list: Bounded::new(extensions).ok()? };
        extensions.ids_ascend().then_some(extensions)
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
