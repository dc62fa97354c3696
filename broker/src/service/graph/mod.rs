//! The delegation graph: who delegated what to whom, who can, and why not.
//!
//! It is read from the state under the same rule as all else: a party sees what it is a party to. Nothing
//! is filtered out of a longer list, since the length of that would show; what a caller sees is walked
//! from what it holds.

mod can;
mod edge;
mod feed;
mod holdings;
mod moment;
mod question;

use std::sync::Arc;

use countersign_protocol::refusal::Refusal;
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{
    caller::Caller,
    feed::{Feed, Watchers},
};
use crate::domain::Domain;
use feed::EdgeFeed;

/// The service of that name.
#[derive(Debug)]
pub struct Graph {
    domain: Arc<Domain>,
    watchers: Watchers,
}

impl Graph {
    /// The graph of that domain.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self { domain, watchers: Watchers::default() }
    }

    async fn watch(
        &self,
        caller: &Caller,
        request: v1::WatchEdgesRequest,
    ) -> Result<Feed<v1::WatchEdgesResponse>, Refusal> {
        let feed = EdgeFeed::begin(&self.domain, caller.clone(), request).await?;
        self.watchers.admit(caller.instance(), |teller| feed.tell(teller))
    }
}

/// Whether there is such a chain or holder, and whether it is for the caller, are one answer to a stranger.
/// Whatever else is wrong, the caller said itself.
fn told(caller: Caller, refusal: &Refusal) -> Status {
    match refusal.rule() {
        "API-060" | "GRA-003" => caller.told(refusal),
        _ => caller.author().told(refusal),
    }
}

#[tonic::async_trait]
impl v1::graph_server::Graph for Graph {
    async fn list_edges(
        &self,
        request: Request<v1::ListEdgesRequest>,
    ) -> Result<Response<v1::ListEdgesResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.list(&mut caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| told(caller, &refusal))
    }

    async fn who_can(
        &self,
        request: Request<v1::WhoCanRequest>,
    ) -> Result<Response<v1::WhoCanResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.who(&caller, request.into_inner()).await;
        caller.author().reply(answer)
    }

    async fn what_can(
        &self,
        request: Request<v1::WhatCanRequest>,
    ) -> Result<Response<v1::WhatCanResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.what(&caller, request.into_inner()).await;
        caller.author().reply(answer)
    }

    async fn list_paths(
        &self,
        request: Request<v1::ListPathsRequest>,
    ) -> Result<Response<v1::ListPathsResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.paths(&caller, request.into_inner()).await;
        caller.author().reply(answer)
    }

    async fn can(&self, request: Request<v1::CanRequest>) -> Result<Response<v1::CanResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.judge(&mut caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| told(caller, &refusal))
    }

    type WatchEdgesStream = Feed<v1::WatchEdgesResponse>;

    async fn watch_edges(
        &self,
        request: Request<v1::WatchEdgesRequest>,
    ) -> Result<Response<Self::WatchEdgesStream>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let feed = self.watch(&caller, request.into_inner()).await;
        // The size of the ledger, which may be what is wrong, is known to all.
        caller.author().reply(feed)
    }
}

#[cfg(test)]
mod tests;
