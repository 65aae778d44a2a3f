//! The cool-down before a repetition, so that the previous repetition's heat does not affect it.

use tokio::time::{Duration, Instant, sleep};

use crate::{
    engine::{control::Control, measure::host_monitor::HostMonitor},
    measure::CooldownResult,
    plan::Cooldown,
};

/// How often the temperature is checked; the host is read once a second.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Waits until the hub is as cool as `asked`, the time limit is over, or the operator stops the run.
///
/// Returns at once where the temperature is unknown.
pub async fn wait(
    asked: Cooldown,
    monitor: Option<&HostMonitor>,
    control: &Control,
) -> CooldownResult {
    let now = || monitor.and_then(|monitor| monitor.latest()?.temperature);
    let started = Instant::now();
    let from = now();
    let reached = |temperature| temperature <= asked.below;
    while now().is_some_and(|temperature| !reached(temperature))
        && started.elapsed() < asked.limit
        && !control.is_stopping()
    {
        tokio::select! {
            () = sleep(POLL_INTERVAL) => {}
            () = control.stop_token().cancelled() => {}
        }
    }
    let to = now();
    CooldownResult { seconds: started.elapsed().as_secs_f64(), from, to, reached: to.map(reached) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant as Moment;

    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        hub::host::{HostCounters, HostReader, HostSample},
        server::HubFacts,
        units::Celsius,
    };

    /// The limit is longer than any test: a wait that returns did not reach it.
    const COOLDOWN: Cooldown = Cooldown { below: Celsius(50_000), limit: Duration::from_hours(1) };

    fn monitor_with_sender() -> (HostMonitor, mpsc::Sender<HostSample>) {
        let (sender, receiver) = mpsc::channel(4);
        let reader_task = tokio::spawn(async {});
        (
            HostMonitor::start(HostReader {
                facts: HubFacts::default(),
                samples: receiver,
                finished: reader_task,
            }),
            sender,
        )
    }

    async fn report_temperature(
        monitor: &HostMonitor,
        sender: &mpsc::Sender<HostSample>,
        milli: i32,
    ) {
        let temperature = Some(Celsius(milli));
        let counters = HostCounters { temperature, ..HostCounters::default() };
        sender.send(HostSample { at: Moment::now(), counters }).await.unwrap();
        while monitor.latest().and_then(|counters| counters.temperature) != temperature {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_hot_hub_is_waited_for_until_it_is_cool() {
        let (monitor, sender) = monitor_with_sender();
        report_temperature(&monitor, &sender, 70_000).await;
        let control = Control::default();
        let cooling = report_temperature(&monitor, &sender, 49_900);
        let (cooled, ()) = tokio::join!(biased; wait(COOLDOWN, Some(&monitor), &control), cooling);
        assert_eq!((cooled.from, cooled.to), (Some(Celsius(70_000)), Some(Celsius(49_900))));
        assert_eq!(cooled.reached, Some(true));
        assert!(cooled.seconds > 0.0);
    }

    #[tokio::test]
    async fn the_wait_has_a_limit() {
        let (monitor, sender) = monitor_with_sender();
        report_temperature(&monitor, &sender, 70_000).await;
        let asked = Cooldown { limit: Duration::ZERO, ..COOLDOWN };
        let cooled = wait(asked, Some(&monitor), &Control::default()).await;
        assert_eq!((cooled.to, cooled.reached), (Some(Celsius(70_000)), Some(false)));
    }

    #[tokio::test]
    async fn the_operator_ends_the_wait() {
        let (monitor, sender) = monitor_with_sender();
        report_temperature(&monitor, &sender, 70_000).await;
        let control = Control::default();
        let stop = async { control.stop_now() };
        let (cooled, ()) = tokio::join!(biased; wait(COOLDOWN, Some(&monitor), &control), stop);
        assert_eq!(cooled.reached, Some(false));
    }

    #[tokio::test]
    async fn a_hub_without_thermometer_is_not_waited_for() {
        let cooled = wait(COOLDOWN, None, &Control::default()).await;
        assert_eq!((cooled.from, cooled.to, cooled.reached), (None, None, None));
    }
}
