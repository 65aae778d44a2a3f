//! Preparation before the first repetition: leftovers, images, limits, this machine's self-test, the network
//! path, the host monitor.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::Runner;
use crate::{
    engine::{
        RunError,
        judge::host_spec::{HostMonitoring, HostSpec},
        load::threads::thread_error,
        measure::{host_monitor::HostMonitor, self_test},
        run::{
            resolve::{repetition_context, required_images},
            time_left,
        },
    },
    event::{Event, LogLevel, Phase},
    hub::host,
    plan::{Plan, estimate::CONTAINER_OVERHEAD},
    server::ResourceLimits,
};

/// Maximum wait for the first sample of the hub's host.
const FIRST_SAMPLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Warning about a hub whose kernel does not count the time that tasks wait for memory.
const NO_PRESSURE: &str = "the hub's kernel does not count memory pressure (psi=0): waits for memory stay \
     unseen, and every repetition is suspect; add psi=1 to its kernel's command line (on a Raspberry Pi \
     /boot/firmware/cmdline.txt) and reboot it";

impl Runner<'_> {
    /// Removes leftovers of dead runs, so that they do not disturb this run.
    pub(super) async fn remove_leftovers(&self) {
        let events = self.events;
        match self.hub.remove_leftovers().await {
            Ok(removed) => {
                for what in removed {
                    events.log(LogLevel::Info, format!("removed a leftover of a dead run: {what}"));
                }
            }
            Err(error) => events
                .log(LogLevel::Warn, format!("cannot search for leftovers of dead runs: {error}")),
        }
    }

    /// Warns of other runs on this hub.
    pub(super) async fn warn_of_other_runs(&self) {
        for other in self.hub.other_runs().await {
            let text = format!(
                "another run is active on this hub: {other}. Two runs disturb each other's \
                 figures: wait for its end, or use another hub"
            );
            self.events.log(LogLevel::Warn, text);
        }
    }

    /// Builds or pulls every image that the plan needs.
    pub(super) async fn provide_images(&self, plan: &Plan) -> Result<(), RunError> {
        let images = required_images(plan)?;
        if images.is_empty() {
            return Ok(());
        }
        let events = self.events.clone();
        events.send(Event::Phase { phase: Phase::Images, seconds: None });
        let (sender, mut progress) = mpsc::unbounded_channel();
        let relay = tokio::spawn(async move {
            while let Some(step) = progress.recv().await {
                events.send(Event::Image(step));
            }
        });
        let token = self.control.stop_token();
        for image in &images {
            self.hub.ensure_image(image, sender.clone(), token.clone()).await.map_err(|error| {
                if token.is_cancelled() { RunError::Stopped } else { error.into() }
            })?;
        }
        drop(sender);
        let _ = relay.await;
        Ok(())
    }

    /// Verifies that the limits of the plan are in force, before anything is measured under them.
    pub(super) async fn verify_limits(&mut self, plan: &Plan) -> Result<(), RunError> {
        let limits = &plan.hub.limits;
        if *limits == ResourceLimits::default() {
            return Ok(());
        }
        self.events.send(Event::Phase { phase: Phase::Limits, seconds: None });
        let token = self.control.stop_token();
        let verified = tokio::select! {
            biased;
            () = token.cancelled() => return Err(RunError::Stopped),
            verified = self.hub.verify_limits(limits) => verified?,
        };
        for limit in &verified {
            self.events.log(LogLevel::Info, format!("limit: {limit}"));
        }
        self.record.provenance.limits = verified;
        Ok(())
    }

    /// Measures what this machine's timer and loopback can do without a load; a failure does not end the
    /// run.
    pub(super) async fn run_self_test(&mut self, plan: &Plan) -> Result<(), RunError> {
        let length = self_test::length_for(plan);
        let token = self.control.stop_token();
        let tested = tokio::select! {
            biased;
            () = token.cancelled() => return Err(RunError::Stopped),
            tested = spawn_blocking(move || self_test::measure(length)) => tested,
        };
        let events = self.events;
        match tested.map_err(thread_error("the self-test"))? {
            Ok(tested) => {
                self.record.self_test = Some(tested);
                events.send(Event::SelfTest(tested));
            }
            Err(error) => {
                let text = format!(
                    "this machine's loopback was not tested: {error}; check that 127.0.0.1 is up"
                );
                events.log(LogLevel::Warn, text);
            }
        }
        Ok(())
    }

    /// Measures the cost of the network path to the hub; a failure does not end the run.
    pub(super) async fn measure_path(&mut self, plan: &Plan) -> Result<(), RunError> {
        let images = required_images(plan)?;
        if !images.is_empty() {
            self.events.send(Event::Phase { phase: Phase::Path, seconds: None });
        }
        let token = self.control.stop_token();
        let measured = tokio::select! {
            biased;
            () = token.cancelled() => return Err(RunError::Stopped),
            measured = self.hub.measure_path(&images, &plan.hub.limits) => measured,
        };
        let events = self.events;
        match measured {
            Ok(path) => {
                self.record.path = path;
                if let Some(path) = path {
                    events.send(Event::Path(path));
                }
            }
            Err(error) => {
                events.log(LogLevel::Warn, format!("the network path was not measured: {error}"));
            }
        }
        Ok(())
    }

    /// Corrects the estimate of the run by the time that the hub took to start one container.
    fn send_estimate(&self, plan: &Plan, container_start: Duration) -> Result<(), RunError> {
        let mut seconds = 0.0;
        let mut slow = false;
        for (point, count) in self.strategy.remaining(plan, &self.record) {
            let point = &plan.points[point];
            let context = repetition_context(plan, point)?;
            let servers = self.backend(point)?.servers(&context)?.len();
            let overhead = time_left::overhead_on_hub(container_start, servers);
            slow |= overhead > CONTAINER_OVERHEAD;
            let learned = overhead.saturating_sub(CONTAINER_OVERHEAD);
            let planned = plan.estimated_repetition_duration(point) + learned;
            seconds += planned.as_secs_f64() * count as f64;
        }
        if slow {
            self.events.send(Event::Estimate { seconds_left: seconds });
        }
        Ok(())
    }

    /// Starts the monitor of the hub's host, and adds the facts that it reports to the record.
    pub(super) async fn start_host_monitor(&mut self, plan: &Plan) -> Result<(), RunError> {
        let events = self.events;
        let image = required_images(plan)?.into_iter().next();
        if image.is_some() {
            events.send(Event::Phase { phase: Phase::HubReader, seconds: None });
        }
        let asked = Instant::now();
        let mut stream = match self.hub.monitor_host(image.as_ref()).await {
            Ok(Some(stream)) => stream,
            Ok(None) => return Ok(()),
            Err(error) => {
                events.log(LogLevel::Warn, format!("the hub's host is not monitored: {error}"));
                self.host_spec.monitoring = HostMonitoring::Failed(error.to_string());
                return Ok(());
            }
        };
        let first = timeout(FIRST_SAMPLE_TIMEOUT, stream.samples.recv()).await.ok().flatten();
        let known = self.record.provenance.hub.clone();
        let mut facts = host::facts::merge_facts(known, stream.facts.clone());
        if facts.memory_pressure == Some(false)
            && !facts.cautions.iter().any(|one| one == NO_PRESSURE)
        {
            events.log(LogLevel::Warn, NO_PRESSURE);
            facts.cautions.push(NO_PRESSURE.to_owned());
        }
        let disk = first.and_then(|sample| sample.counters.disk);
        self.host_spec = HostSpec {
            monitoring: HostMonitoring::Active,
            ..HostSpec::from_facts(&facts, disk.map(|(_, size)| size))
        };
        self.record.provenance.hub = facts.clone();
        events.send(Event::Hub { place: self.hub.location(), facts: Box::new(facts) });
        self.host_monitor = Some(HostMonitor::start(stream));
        if image.is_some() && !self.record.provenance.hub.shared_with_client {
            self.send_estimate(plan, asked.elapsed())?;
        }
        Ok(())
    }
}
