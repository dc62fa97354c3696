//! What somebody wants to be done, as a question to the graph.

use crate::{
    capability::{Arguments, Request, ResourceName, Rights},
    name::{PrincipalId, Word},
    token,
};

/// A use that is asked about and not made. Where the arguments are not said, any may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Who is to do it.
    pub callee: PrincipalId,
    /// The action.
    pub action: Word,
    /// The resource.
    pub resource: ResourceName,
    /// The arguments.
    pub arguments: Option<Arguments>,
}

/// Whether rights allow what is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covers {
    /// They do not, whatever the arguments are.
    No,
    /// With some arguments they may.
    SomeArguments,
    /// They do.
    Yes,
}

impl Wish {
    /// What one link says of it, apart from time.
    pub fn within(&self, rights: &Rights) -> Covers {
        if !rights.audiences.has(&self.callee) {
            return Covers::No;
        }
        let covering = rights.capabilities.iter().filter(|capability| {
            capability.actions.has(&self.action) && capability.resource.holds(&self.resource)
        });
        let one = |capability: &crate::capability::Capability| match &self.arguments {
            _ if capability.constraints.is_empty() => Covers::Yes,
            None => Covers::SomeArguments,
            Some(arguments) if token::allows(capability, &self.request(arguments.clone())) => Covers::Yes,
            Some(_) => Covers::No,
        };
        covering.map(one).max().unwrap_or(Covers::No)
    }

    /// The request that it would be with those arguments.
    pub fn request(&self, arguments: Arguments) -> Request {
        let Self { callee, action, resource, .. } = self.clone();
        Request { callee, action, resource, arguments }
    }
}
