//! The questions that are answered with lists of edges.

use countersign_protocol::{
    capability::Arguments,
    digest::ChainId,
    domain::{Chain, State},
    graph::{Covers, Moment, Walk, Wish},
    name::PrincipalId,
    payload::Payload as _,
    refusal::Refusal,
};
use countersign_wire::v1;

use super::{Graph, edge::edge, holdings::Holder, moment::When};
use crate::service::{caller::Caller, convert, page::Page};

impl Graph {
    pub(super) async fn list(
        &self,
        caller: &mut Caller,
        request: v1::ListEdgesRequest,
    ) -> Result<v1::ListEdgesResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let top = match request.beneath.as_slice() {
            [] => None,
            bytes => Some(convert::chain_id(bytes)?),
        };
        let (with_ended, ended) = (request.ended, [u8::from(request.ended)]);
        let filters = [b"edges".as_slice(), &request.beneath, &ended];
        let page = page(caller, &filters, request.page_size, &request.page_token)?;
        let when = When::of(&self.domain, request.as_of).await?;
        let filled = self.domain.read(|state, context| {
            let moment = when.moment(state, context);
            let walk = match top {
                Some(top) => caller.chain(state, top).map(|_| Walk::beneath(state, top))?,
                None => sight(caller, state),
            };
            let meant = move |link: &Chain| is_listed(link, moment, with_ended);
            let steps = walk.after(page.after(), meant).map(|step| (step.id, step));
            let (edges, next_page_token) =
                page.fill(steps, |id, step| step.entered.then(|| edge(*id, step.link, moment)));
            Ok(v1::ListEdgesResponse { edges, size: moment.size.get(), next_page_token })
        });
        filled.await
    }

    pub(super) async fn who(
        &self,
        caller: &Caller,
        request: v1::WhoCanRequest,
    ) -> Result<v1::WhoCanResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let arguments = request.arguments.as_deref().map(arguments).transpose()?;
        let wish = wish([&request.callee, &request.action, &request.resource], arguments)?;
        let said = [u8::from(request.arguments.is_some())];
        let arguments = request.arguments.as_deref().unwrap_or_default();
        let asked = [&request.callee, &request.action, &request.resource].map(|text| text.as_bytes());
        let filters = [b"who can".as_slice(), asked[0], asked[1], asked[2], &said, arguments];
        let page = page(caller, &filters, request.page_size, &request.page_token)?;
        let when = When::of(&self.domain, request.as_of).await?;
        let filled = self.domain.read(|state, context| {
            let moment = when.moment(state, context);
            let meant = |link: &Chain| moment.has_in_force(link) && wish.within(&link.rights) != Covers::No;
            let steps = sight(caller, state).after(page.after(), meant).map(|step| (step.id, step));
            let (abilities, next_page_token) = page.fill(steps, |id, step| {
                // What is above the first in sight was not walked.
                let can = step.entered && (caller.is_admin() || moment.has_usable(state, *id));
                can.then(|| v1::Ability {
                    edge: Some(edge(*id, step.link, moment)),
                    some_arguments: wish.within(&step.link.rights) == Covers::SomeArguments,
                })
            });
            Ok(v1::WhoCanResponse { abilities, size: moment.size.get(), next_page_token })
        });
        filled.await
    }

    pub(super) async fn what(
        &self,
        caller: &Caller,
        request: v1::WhatCanRequest,
    ) -> Result<v1::WhatCanResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let holder: Holder = convert::text("holder", &request.holder)?;
        let filters = [b"what can".as_slice(), request.holder.as_bytes()];
        let page = page(caller, &filters, request.page_size, &request.page_token)?;
        let when = When::of(&self.domain, request.as_of).await?;
        let filled = self.domain.read(|state, context| {
            let moment = when.moment(state, context);
            let meant = move |link: &Chain| moment.has_in_force(link);
            let links = holder.links(caller, state, page.after(), meant).map(|step| (step.id, step));
            let (edges, next_page_token) = page.fill(links, |id, step| {
                let usable = step.entered && moment.has_usable(state, *id);
                usable.then(|| edge(*id, step.link, moment))
            });
            Ok(v1::WhatCanResponse { edges, size: moment.size.get(), next_page_token })
        });
        filled.await
    }

    pub(super) async fn paths(
        &self,
        caller: &Caller,
        request: v1::ListPathsRequest,
    ) -> Result<v1::ListPathsResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let holder: Holder = convert::text("holder", &request.holder)?;
        let originator: Option<PrincipalId> = match request.originator.as_str() {
            "" => None,
            text => Some(convert::text("originator", text)?),
        };
        let (with_ended, ended) = (request.ended, [u8::from(request.ended)]);
        let [from, to] = [&request.originator, &request.holder].map(|text| text.as_bytes());
        let page = page(caller, &[b"paths", from, to, &ended], request.page_size, &request.page_token)?;
        let when = When::of(&self.domain, request.as_of).await?;
        let filled = self.domain.read(|state, context| {
            let moment = when.moment(state, context);
            let meant = move |link: &Chain| is_listed(link, moment, with_ended);
            let links = holder.links(caller, state, page.after(), meant).map(|step| (step.id, step));
            let (paths, next_page_token) = page.fill(links, |id, step| {
                let from = originator.as_ref().is_none_or(|originator| step.link.originator == *originator);
                (step.entered && from).then(|| path(caller, state, *id, moment))
            });
            Ok(v1::ListPathsResponse { paths, size: moment.size.get(), next_page_token })
        });
        filled.await
    }
}

/// What is asked for, apart from the arguments.
pub(super) fn wish(
    [callee, action, resource]: [&str; 3],
    arguments: Option<Arguments>,
) -> Result<Wish, Refusal> {
    Ok(Wish {
        callee: convert::text("callee", callee)?,
        action: convert::text("action", action)?,
        resource: convert::text("resource", resource)?,
        arguments,
    })
}

/// The arguments of a use that is asked about.
pub(super) fn arguments(bytes: &[u8]) -> Result<Arguments, Refusal> {
    Arguments::from_bytes(bytes).map_err(convert::malformed)
}

/// The page of a list by that caller, whatever size it is of: the pages after the first are asked for
/// as of the size that the first was of.
fn page(caller: &Caller, filters: &[&[u8]], size: u32, token: &str) -> Result<Page<ChainId>, Refusal> {
    let by = caller.instance().as_str().as_bytes();
    let listing: Vec<&[u8]> = filters.iter().copied().chain([by]).collect();
    Page::of(&listing, size, token)
}

/// Everything that the caller may see.
fn sight<'s>(caller: &Caller, state: &'s State) -> Walk<'s> {
    if caller.is_admin() { Walk::all(state) } else { Walk::seen_by(state, caller.instance()) }
}

fn is_listed(link: &Chain, moment: Moment, with_ended: bool) -> bool {
    if with_ended { link.state_at(moment.size).is_some() } else { moment.may_be_in_force(link) }
}

/// The links of a chain that the caller is a party to, from the grant down.
fn path(caller: &Caller, state: &State, id: ChainId, moment: Moment) -> v1::Path {
    let seen = |id| caller.is_admin() || caller.is_party_to_chain(state, id);
    let links = state.path(id).filter(|(id, _)| seen(*id));
    let mut edges: Vec<v1::Edge> = links.map(|(id, link)| edge(id, link, moment)).collect();
    edges.reverse();
    v1::Path { edges }
}
