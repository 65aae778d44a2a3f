//! The cool-down before a repetition: heat of the one before must not be measured with it.

use tokio::time::{Duration, Instant, sleep};

use super::{attendant::Attendant, control::Control};
use crate::{measure::Cooled, plan::Cooldown};

/// How often the temperature is looked at; it is read once a second.
const GLANCE: Duration = Duration::from_millis(500);

/// Waits until the hub is as cool as asked for, the limit of time is over, or the operator stops
/// the run. Where no temperature is known, nothing is waited for.
pub async fn wait(asked: Cooldown, attendant: Option<&Attendant>, control: &Control) -> Cooled {
    let now = || attendant.and_then(|attendant| attendant.latest()?.temperature);
    let begun = Instant::now();
    let from = now();
    let reached = |temperature| temperature <= asked.below;
    while now().is_some_and(|temperature| !reached(temperature))
        && begun.elapsed() < asked.limit
        && !control.stopping()
    {
        tokio::select! {
            () = sleep(GLANCE) => {}
            () = control.token().cancelled() => {}
        }
    }
    let to = now();
    Cooled { seconds: begun.elapsed().as_secs_f64(), from, to, reached: to.map(reached) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant as Moment;

    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        hub::vitals::{Attendance, Beat, Pulse},
        server::HubFacts,
        units::Celsius,
    };

    /// Longer than any test: what returns did not wait for the limit.
    const ASKED: Cooldown = Cooldown { below: Celsius(50_000), limit: Duration::from_hours(1) };

    fn attended() -> (Attendant, mpsc::Sender<Beat>) {
        let (tell, beats) = mpsc::channel(4);
        let gone = tokio::spawn(async {});
        (Attendant::start(Attendance { facts: HubFacts::default(), beats, gone }), tell)
    }

    async fn heat(attendant: &Attendant, tell: &mpsc::Sender<Beat>, milli: i32) {
        let temperature = Some(Celsius(milli));
        let pulse = Pulse { temperature, ..Pulse::default() };
        tell.send(Beat { at: Moment::now(), pulse }).await.unwrap();
        while attendant.latest().and_then(|pulse| pulse.temperature) != temperature {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_hot_hub_is_waited_for_until_it_is_cool() {
        let (attendant, tell) = attended();
        heat(&attendant, &tell, 70_000).await;
        let control = Control::default();
        let cooling = heat(&attendant, &tell, 49_900);
        let (cooled, ()) = tokio::join!(biased; wait(ASKED, Some(&attendant), &control), cooling);
        assert_eq!((cooled.from, cooled.to), (Some(Celsius(70_000)), Some(Celsius(49_900))));
        assert_eq!(cooled.reached, Some(true));
        assert!(cooled.seconds > 0.0);
    }

    #[tokio::test]
    async fn the_wait_has_a_limit() {
        let (attendant, tell) = attended();
        heat(&attendant, &tell, 70_000).await;
        let asked = Cooldown { limit: Duration::ZERO, ..ASKED };
        let cooled = wait(asked, Some(&attendant), &Control::default()).await;
        assert_eq!((cooled.to, cooled.reached), (Some(Celsius(70_000)), Some(false)));
    }

    #[tokio::test]
    async fn the_operator_ends_the_wait() {
        let (attendant, tell) = attended();
        heat(&attendant, &tell, 70_000).await;
        let control = Control::default();
        let stop = async { control.stop_now() };
        let (cooled, ()) = tokio::join!(biased; wait(ASKED, Some(&attendant), &control), stop);
        assert_eq!(cooled.reached, Some(false));
    }

    #[tokio::test]
    async fn what_has_no_thermometer_is_not_waited_for() {
        let cooled = wait(ASKED, None, &Control::default()).await;
        assert_eq!((cooled.from, cooled.to, cooled.reached), (None, None, None));
    }
}
