//! Steering of a load in progress: what the operator asked for, and what has taken effect.
//!
//! The screen's thread makes requests; the sending thread is the only one that changes the schedule's time,
//! between two messages, so that no message is due twice or skipped.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    clock::Micros,
    event::{EventSender, LogLevel, SteeringState},
    plan::{Fault, FaultKind},
    record::{SteeringAction, SteeringChange},
    server::HubKind,
    units::Cpus,
    workload::{active_users::ActiveUsers, rate_factor::RateFactor, time_warp::TimeWarp},
};

/// Command to change a load in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteeringCommand {
    /// Pause the load: no further message becomes due.
    Pause,
    /// Resume a paused load where it was paused.
    Resume,
    /// Raise the rate by one step.
    Faster,
    /// Lower the rate by one step.
    Slower,
    /// Switch half of the active users off.
    FewerUsers,
    /// Switch users on again: twice as many as now, at most the planned ones.
    MoreUsers,
    /// Inject a fault into the main server now.
    Inject(FaultChoice),
}

/// A fault that an operator can inject by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultChoice {
    /// Pause the server: freeze its processes.
    Pause,
    /// Kill the server and start it again.
    Kill,
    /// Stop the server cleanly and start it again.
    Restart,
    /// Cut the server's network.
    Cut,
    /// Limit the server's CPU.
    LimitCpu,
}

/// Duration of a fault by key: long enough to be seen, short enough to wait for.
const FAULT_DURATION: Duration = Duration::from_secs(2);
/// Duration of a limit by key: queues need some time to grow.
const LIMIT_DURATION: Duration = Duration::from_secs(5);
/// Cores that a limit by key leaves to the server: less than any of the known servers needs under load.
const LIMITED_CPUS: Cpus = Cpus(0.1);

impl FaultChoice {
    /// All faults, the mildest first.
    pub const ALL: [Self; 5] = [Self::Pause, Self::Cut, Self::LimitCpu, Self::Restart, Self::Kill];

    /// Faults that servers on this kind of hub can have.
    pub fn on_hub(hub: HubKind) -> Vec<Self> {
        match hub {
            HubKind::Docker => Self::ALL.to_vec(),
            HubKind::Local => vec![Self::Pause],
            HubKind::External => Vec::new(),
        }
    }

    /// The fault with its duration, at `at` of the load.
    pub const fn fault(self, at: Duration) -> Fault {
        let (kind, duration) = match self {
            Self::Pause => (FaultKind::Pause, FAULT_DURATION),
            Self::Kill => (FaultKind::Kill, FAULT_DURATION),
            Self::Restart => (FaultKind::Restart, FAULT_DURATION),
            Self::Cut => (FaultKind::Cut, FAULT_DURATION),
            Self::LimitCpu => {
                (FaultKind::Limit { cpus: Some(LIMITED_CPUS), memory: None }, LIMIT_DURATION)
            }
        };
        Fault { at, duration: Some(duration), server: None, kind }
    }
}

/// State of the load that the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RequestedLoad {
    is_paused: bool,
    rate: RateFactor,
    users: ActiveUsers,
}

/// State of the load that is in effect.
#[derive(Debug)]
struct AppliedLoad {
    start: Micros,
    warp: TimeWarp,
    load: RequestedLoad,
    actions: Vec<SteeringAction>,
}

/// Steering of one load, shared by the screen's commands, the sending thread and the observer.
#[derive(Debug)]
pub struct Steering {
    events: EventSender,
    requested: Mutex<RequestedLoad>,
    /// Incremented with each request, so that the sending thread needs no lock to find that nothing changed.
    requests: AtomicU32,
    applied: Mutex<AppliedLoad>,
    faults: UnboundedSender<FaultChoice>,
}

/// What the sending thread has to do after a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AppliedChange {
    /// The change, with its time.
    pub action: SteeringAction,
    /// Whether the load was steered before.
    pub is_first: bool,
}

impl Steering {
    /// Creates the steering of a load of `users` users, and the receiver of its faults.
    pub fn new(events: EventSender, users: u32) -> (Self, UnboundedReceiver<FaultChoice>) {
        let (faults, injections) = unbounded_channel();
        let users = ActiveUsers::all(users);
        let load = RequestedLoad { is_paused: false, rate: RateFactor::default(), users };
        let steering = Self {
            events,
            requested: Mutex::new(load),
            requests: AtomicU32::new(0),
            applied: Mutex::new(AppliedLoad {
                start: Micros(0),
                warp: TimeWarp::new(Micros(0), users),
                load,
                actions: Vec::new(),
            }),
            faults,
        };
        (steering, injections)
    }

    /// Begins a load at `start`.
    pub fn begin(&self, start: Micros) {
        let mut applied = self.applied.lock();
        applied.start = start;
        applied.warp = TimeWarp::new(start, applied.load.users);
    }

    /// Requests a change. It takes effect when the sending thread has seen it.
    pub fn request(&self, command: SteeringCommand) {
        let mut requested = self.requested.lock();
        match command {
            SteeringCommand::Pause => requested.is_paused = true,
            SteeringCommand::Resume => requested.is_paused = false,
            SteeringCommand::Faster => requested.rate = requested.rate.faster(),
            SteeringCommand::Slower => requested.rate = requested.rate.slower(),
            SteeringCommand::FewerUsers => requested.users = requested.users.fewer(),
            SteeringCommand::MoreUsers => requested.users = requested.users.more(),
            SteeringCommand::Inject(choice) => {
                // Without a receiver the load is over, and the fault would meet no message.
                let _ = self.faults.send(choice);
            }
        }
        drop(requested);
        self.requests.fetch_add(1, Relaxed);
    }

    /// Number of requests so far.
    pub fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Puts the requested state in effect at `now`, and returns what has changed: nothing, or changes of the
    /// rate and of the users, and a pause or resumption.
    pub fn apply(&self, now: Micros) -> Vec<AppliedChange> {
        let requested = *self.requested.lock();
        let mut changes = Vec::new();
        let before = self.applied.lock().load;
        if requested.rate != before.rate {
            changes.push(SteeringChange::Rate { factor: requested.rate });
        }
        if requested.users != before.users {
            let (from, to) = (before.users.count(), requested.users.count());
            changes.push(SteeringChange::Users { from, to });
        }
        if requested.is_paused != before.is_paused {
            let pause = requested.is_paused;
            changes.push(if pause { SteeringChange::Pause } else { SteeringChange::Resume });
        }
        if changes.is_empty() {
            return Vec::new();
        }
        let mut applied = self.applied.lock();
        applied.load = requested;
        let speed = (!requested.is_paused).then_some(requested.rate);
        applied.warp.change(now, speed, requested.users);
        drop(applied);
        changes.into_iter().map(|change| self.add_action(now, change)).collect()
    }

    /// Adds a change that has taken effect at `now`.
    pub fn add_action(&self, now: Micros, change: SteeringChange) -> AppliedChange {
        let mut applied = self.applied.lock();
        let second = now.since(applied.start).max(0) as f64 / 1e6;
        let action = SteeringAction { second, change };
        let is_first = applied.actions.is_empty();
        applied.actions.push(action);
        drop(applied);
        self.events.log(LogLevel::Info, format!("steered: {change}"));
        AppliedChange { action, is_first }
    }

    /// Returns the present map from the schedule to due times.
    pub fn warp(&self) -> TimeWarp {
        self.applied.lock().warp.clone()
    }

    /// All changes that have taken effect.
    pub fn actions(&self) -> Vec<SteeringAction> {
        self.applied.lock().actions.clone()
    }

    /// State for the screen.
    pub fn state(&self) -> SteeringState {
        let applied = self.applied.lock();
        SteeringState {
            is_paused: applied.load.is_paused,
            rate: applied.load.rate,
            users: applied.load.users,
            actions: applied.actions.clone(),
        }
    }

    /// Expected length of a load of `planned` seconds, from its start, if nothing changes from `now` on.
    pub fn expected_seconds(&self, planned: f64, now: Micros) -> f64 {
        let applied = self.applied.lock();
        let end = (planned * 1e6) as i64;
        let due = applied.warp.expected_due(end, now, applied.load.rate);
        due.since(applied.start) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event;

    fn changes(steering: &Steering, now: i64) -> Vec<String> {
        let applied = steering.apply(Micros(now));
        applied.into_iter().map(|applied| applied.action.to_string()).collect()
    }

    #[test]
    fn a_request_takes_effect_once_and_is_kept() {
        let (steering, _faults) = Steering::new(event::channel().0, 1_000);
        steering.begin(Micros(1_000_000));
        assert_eq!(steering.requests(), 0);
        for command in [SteeringCommand::Faster, SteeringCommand::Faster, SteeringCommand::Pause] {
            steering.request(command);
        }
        assert_eq!(steering.requests(), 3);
        assert_eq!(changes(&steering, 3_000_000), ["2.0 s rate ×2", "2.0 s load paused"]);
        assert_eq!(changes(&steering, 4_000_000), [""; 0]);
        assert!(steering.state().is_paused);
        assert_eq!(steering.warp().due(2_000_001), None);
        assert!((steering.expected_seconds(10.0, Micros(6_000_000)) - 9.0).abs() < 1e-6);
        steering.request(SteeringCommand::Resume);
        assert_eq!(changes(&steering, 5_000_000), ["4.0 s load resumed"]);
        assert_eq!(steering.warp().due(4_000_000), Some(Micros(6_000_000)));
        assert_eq!(steering.actions().len(), 3);
    }

    #[test]
    fn half_of_the_users_are_switched_off_and_on_again() {
        let (steering, _faults) = Steering::new(event::channel().0, 1_000);
        steering.begin(Micros(0));
        steering.request(SteeringCommand::FewerUsers);
        steering.request(SteeringCommand::FewerUsers);
        assert_eq!(changes(&steering, 2_000_000), ["2.0 s users 1,000 → 250"]);
        steering.request(SteeringCommand::MoreUsers);
        assert_eq!(changes(&steering, 3_000_000), ["3.0 s users 250 → 500"]);
        assert_eq!(steering.state().users.count(), 500);
        let warp = steering.warp();
        let active = |second: i64, user| warp.is_active(second * 1_000_000 + 500_000, user);
        assert!(active(1, 999) && !active(2, 250) && active(2, 249) && active(3, 499));
        // The length of the load stays.
        assert!((steering.expected_seconds(10.0, Micros(4_000_000)) - 10.0).abs() < 1e-6);
    }

    #[test]
    fn a_request_that_is_revoked_before_it_takes_effect_changes_nothing() {
        let (steering, _faults) = Steering::new(event::channel().0, 1_000);
        steering.request(SteeringCommand::Pause);
        steering.request(SteeringCommand::Resume);
        assert_eq!(changes(&steering, 1_000_000), [""; 0]);
        assert!(steering.actions().is_empty());
    }

    #[test]
    fn a_hub_offers_the_faults_that_its_servers_can_have() {
        assert_eq!(FaultChoice::on_hub(HubKind::Docker).len(), FaultChoice::ALL.len());
        assert_eq!(FaultChoice::on_hub(HubKind::Local), [FaultChoice::Pause]);
        assert!(FaultChoice::on_hub(HubKind::External).is_empty());
        let fault = FaultChoice::LimitCpu.fault(Duration::from_secs(3));
        assert_eq!(fault.to_string(), "3 s · limit to 0.1 cpus of the main server for 5 s");
    }
}
