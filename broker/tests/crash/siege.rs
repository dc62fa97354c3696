//! Load, kill, start, check.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_protocol::{domain::State, refusal::Reason, time::Lifetime};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    aim::Aim,
    auditor::Auditor,
    crew::{Crew, TEAMS, principal, rules},
    daemon::{Daemon, Home, Shortage},
    disk::Disk,
    phase::{self, Phase},
    remains::Remains,
    ruin::Ruin,
    team::Team,
    told::Notes,
};

/// What nobody gets while the disk is full.
const TOKEN_LIFE: Lifetime = Lifetime::from_millis(60_000);

/// How long a snapshot is waited for under load,
const SNAPSHOT_SOON: Duration = Duration::from_millis(1_500);
/// and at a start.
const SNAPSHOT_MAX: Duration = Duration::from_secs(60);

/// How the broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By SIGKILL: the system keeps what it was given.
    Kill,
    /// With everything that is not on the disk.
    PowerCut,
}

pub(crate) struct Siege {
    how: How,
    daemon: Daemon,
    crew: Arc<Crew>,
    teams: Vec<JoinHandle<()>>,
    auditor: Auditor,
    rng: StdRng,
    found: BTreeMap<Phase, u64>,
    /// How often a start had a snapshot to go on from, or had none, after what.
    starts: BTreeMap<(Ruin, bool), u64>,
}

impl Siege {
    /// A broker with people at work.
    pub(crate) async fn begin(how: How, seed: u64) -> Self {
        let home = match how {
            How::Kill => Home::Directory(tempfile::tempdir().unwrap()),
            How::PowerCut => Home::Disk(Disk::new()),
        };
        let (mut daemon, first) = Daemon::init(home, &rules());
        daemon.start().await;
        let crew = Crew::gather(&first).await;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut teams = Vec::new();
        for number in 0..TEAMS {
            let team = Team::form(&crew, number, rng.r#gen()).await;
            teams.push(tokio::spawn(team.work()));
        }
        let auditor = Auditor::new(crew.root.clone(), daemon.keys());
        Self { how, daemon, crew, teams, auditor, rng, found: Phase::counts(), starts: BTreeMap::new() }
    }

    /// Kills the broker at some moment, starts it again, and checks everything.
    pub(crate) async fn strike(&mut self, number: u64) {
        let aim = Aim::of(number - 1);
        aim.wait(&self.crew.moments, &self.crew.pace, &mut self.rng).await;
        if aim == Aim::Keeping {
            self.await_snapshot().await;
        }
        let under_way = self.crew.pace.counts();
        let crew = Arc::clone(&self.crew);
        // Replies that had left it may still arrive, and then they count.
        let settled = async || {
            sleep(Duration::from_millis(20)).await;
            notes(&crew)
        };
        let (news, told) = match self.how {
            How::Kill => (self.daemon.kill(), settled().await),
            How::PowerCut => self.daemon.cut(settled).await,
        };
        let remains = Remains::of(&self.daemon.ledger(), self.auditor.next()).await;
        let (state, events) = self.auditor.fold(&remains);
        let mut phases = phase::found(&events, &state, &told, under_way);
        phases.extend(news.is_keeping().then_some(Phase::Keeping));
        let ruin = Ruin::draw(&mut self.rng);
        let ruin = ruin.bring(&self.daemon.ledger(), &mut self.rng);
        if aim == Aim::StartUp && !self.stumble().await {
            phases.push(Phase::StartUp);
        }
        let served_after = self.recover(&told, &remains, &state).await;
        let recalled = self.daemon.heard().recalled;
        assert!(recalled <= remains.head.size.get(), "the snapshot is of entries that there are");
        self.starts.entry((ruin, recalled > 0)).and_modify(|times| *times += 1).or_insert(1);
        let phases: Vec<_> =
            phases.into_iter().inspect(|it| *self.found.entry(*it).or_default() += 1).collect();
        let named: Vec<_> = phases.iter().map(ToString::to_string).collect();
        println!(
            "{:?} {number}: {}; {} steps under way, {} entries on the disk, {} torn bytes, {} unfinished \
             files; {} acknowledged, all recovered; {} invocations ended as unknown; what is derived was \
             {ruin}: started from entry {recalled}, served again after {} ms",
            self.how,
            named.join(", "),
            under_way.0,
            remains.head.size,
            remains.torn,
            remains.unfinished,
            told.acknowledged(),
            state.open_invocations().count(),
            served_after.as_millis(),
        );
    }

    /// Starts the broker again and holds it to what was told and to what its files held. Gives how long
    /// it took to serve.
    async fn recover(&mut self, told: &Notes, remains: &Remains, before: &State) -> Duration {
        let start = Instant::now();
        self.daemon.start().await;
        let served_after = start.elapsed();
        self.crew.pace.resume();
        self.hold(told, remains, before).await;
        served_after
    }

    /// Holds the broker to what was told and to what its files held.
    async fn hold(&mut self, told: &Notes, remains: &Remains, before: &State) {
        self.auditor.catch_up().await;
        self.auditor.check_told(told);
        self.auditor.check_proofs(told).await;
        self.auditor.check_continues(remains, before);
        self.check().await;
    }

    /// Waits until a snapshot is being kept. The larger the ledger, the rarer that is; but a start that
    /// finds none keeps one at once.
    async fn await_snapshot(&mut self) {
        if !self.daemon.until_keeping(SNAPSHOT_SOON).await {
            self.daemon.kill();
            Ruin::Deleted.bring(&self.daemon.ledger(), &mut self.rng);
            self.daemon.launch();
            assert!(self.daemon.until_keeping(SNAPSHOT_MAX).await, "{}", self.daemon.heard().log);
        }
        sleep(Duration::from_micros(self.rng.gen_range(0..10_000))).await;
    }

    /// Starts it and kills it again while it starts. Whether it served by then.
    async fn stumble(&mut self) -> bool {
        let after = Duration::from_millis(self.rng.gen_range(1..60));
        self.daemon.stumble(after).await
    }

    /// Works until the disk is full, when everything is refused, and makes room: the same process goes
    /// on.
    pub(crate) async fn run_out_of_disk(&mut self, shortage: Shortage) {
        let shortage = self.daemon.run_short(shortage).await;
        self.daemon.until("the ledger was not written").await;
        let told = notes(&self.crew);
        let refused = self.crew.root.create_join_token(&principal("agent/late"), TOKEN_LIFE).await;
        let reason = refused.err().and_then(|error| error.reason());
        assert_eq!(reason, Some(Reason::LedgerUnavailable));
        let remains = Remains::of(&self.daemon.ledger(), self.auditor.next()).await;
        let (state, _) = self.auditor.fold(&remains);
        self.daemon.make_room(shortage);
        let start = Instant::now();
        self.daemon.until("there is room again").await;
        self.daemon.until_serving_again().await;
        let served_after = start.elapsed();
        self.hold(&told, &remains, &state).await;
        println!(
            "full disk: {} entries on it, {} torn bytes; {} acknowledged, all recovered; {} invocations ended \
             as unknown; served again, by the same process, after {} ms",
            remains.head.size,
            remains.torn,
            told.acknowledged(),
            state.open_invocations().count(),
            served_after.as_millis(),
        );
    }

    /// Lets all work end and checks everything once more. Gives how often each phase was met, and each
    /// kind of start.
    pub(crate) async fn end(mut self) -> (BTreeMap<Phase, u64>, BTreeMap<(Ruin, bool), u64>) {
        self.crew.pace.pause().await;
        let told = notes(&self.crew);
        let checkpoint = self.auditor.catch_up().await;
        self.auditor.check_told(&told);
        self.check().await;
        self.auditor.audit_all(&checkpoint);
        for team in &self.teams {
            assert!(!team.is_finished(), "a team gave up");
            team.abort();
        }
        println!("phases: {:?}", self.found);
        println!(
            "starts, by what was done to what is derived and whether a snapshot was used: {:?}",
            self.starts
        );
        println!(
            "{} entries; acknowledged: {} instances, {} grants and contracts, {} answers, {} revocations; \
             {} done; {} calls without an answer; refused: {:?}",
            checkpoint.peek_unverified().size,
            told.admitted.len(),
            told.links.len(),
            told.answers.len(),
            told.revocations.len(),
            told.done.len(),
            told.unanswered,
            told.refused,
        );
        (self.found, self.starts)
    }

    /// What needs no memory of the kill: budgets, proofs, retries, and the ends of what has ended.
    async fn check(&self) {
        self.auditor.check_budgets();
        let told = notes(&self.crew);
        let (latest, ended) = (told.latest.clone(), told.ended.clone());
        for (made, id) in latest {
            let Some(noted) = told.answers.get(&id) else { continue };
            match made.again(id).await {
                Ok(receipt) => assert_eq!(receipt, noted.receipt, "{id} has another receipt now"),
                Err(reason) => assert_eq!(reason, Reason::Revoked, "{id}"),
            }
        }
        for made in ended {
            let outcome = made.by.invoke(&made.held, made.call.clone()).await;
            let reason = outcome.as_ref().err().and_then(countersign::Error::reason);
            assert_eq!(reason, Some(Reason::Revoked), "{:?}", outcome.map(|answer| answer.invocation));
        }
    }
}

/// Everything that was told by now.
fn notes(crew: &Crew) -> Notes {
    crew.told.saw_checkpoint(&crew.root);
    crew.told.saw_checkpoint(&crew.alice);
    crew.told.notes().clone()
}
