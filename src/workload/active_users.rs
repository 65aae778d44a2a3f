//! Which of a load's users are active while an operator changes their number.

use serde::{Deserialize, Serialize};

use crate::stamp::UserId;

/// The active ones among the users of a plan: the first ones by their numbers. A user that is not active
/// stays connected, and no message of it becomes due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveUsers {
    active: u32,
    planned: u32,
}

impl ActiveUsers {
    /// All users of a plan.
    pub const fn all(planned: u32) -> Self {
        Self { active: planned, planned }
    }

    /// Half as many active users; at least one. The steps are the planned number halved again and again, so
    /// that the way back leads over the same numbers.
    #[must_use]
    pub fn fewer(self) -> Self {
        let next = self.steps().find(|step| *step < self.active);
        Self { active: next.unwrap_or(self.active), ..self }
    }

    /// Twice as many active users; at most the planned ones.
    #[must_use]
    pub fn more(self) -> Self {
        let next = self.steps().take_while(|step| *step > self.active).last();
        Self { active: next.unwrap_or(self.active), ..self }
    }

    /// All possible numbers of active users, the largest first.
    fn steps(self) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(self.planned), |step| Some(step / 2))
            .take_while(|step| *step > 0)
    }

    /// Number of active users.
    pub const fn count(self) -> u32 {
        self.active
    }

    /// Whether all users are active.
    pub const fn are_all(self) -> bool {
        self.active == self.planned
    }

    /// Whether a user is active.
    pub const fn contains(self, user: UserId) -> bool {
        user < self.active
    }

    /// Share of the planned users that are active, 0 to 1; 1 without any users.
    pub fn share(self) -> f64 {
        if self.planned == 0 { 1.0 } else { f64::from(self.active) / f64::from(self.planned) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_steps_halve_the_planned_users_down_to_one_and_lead_back() {
        let mut users = ActiveUsers::all(1_000);
        let down: Vec<u32> = std::iter::repeat_with(|| {
            users = users.fewer();
            users.count()
        })
        .take(10)
        .collect();
        assert_eq!(down, [500, 250, 125, 62, 31, 15, 7, 3, 1, 1]);
        let up: Vec<u32> = std::iter::repeat_with(|| {
            users = users.more();
            users.count()
        })
        .take(10)
        .collect();
        assert_eq!(up, [3, 7, 15, 31, 62, 125, 250, 500, 1_000, 1_000]);
    }

    proptest! {
        #[test]
        fn at_least_one_and_at_most_the_planned_users_are_active(
            planned in 1_u32.., steps in prop::collection::vec(any::<bool>(), 0..80),
        ) {
            let mut users = ActiveUsers::all(planned);
            for more in steps {
                let next = if more { users.more() } else { users.fewer() };
                prop_assert!((1..=planned).contains(&next.count()));
                if next != users {
                    let back = if more { next.fewer() } else { next.more() };
                    prop_assert_eq!(back, users);
                }
                prop_assert!(next.contains(0) && !next.contains(next.count()));
                prop_assert_eq!(next.are_all(), next.share() >= 1.0);
                users = next;
            }
        }
    }
}
