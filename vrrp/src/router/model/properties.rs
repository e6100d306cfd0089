//! What must hold in every run.

use std::time::Duration;

use stateright::{Checker, Model, Property};

use super::world::{Disturbance, Step, World};
use crate::boot_instant::BootInstant;

/// The runs that begin in one world and meet so many disturbances of these kinds as it has left.
struct Runs {
    begin: World,
    by: &'static [Disturbance],
    disturbed_until: BootInstant,
    properties: Vec<Property<Self>>,
}

/// Longer than Active_Down_Interval, so that each disturbance meets every phase that another one leaves.
const DISTURBED_FOR: Duration = Duration::from_millis(350);

/// Two down intervals and one interval after the last disturbance (P-05), and an interval and a half of doubt after a stall.
const CALM_AFTER: Duration = Duration::from_millis(2 * 302 + 100 + 150);

impl Runs {
    fn from(begin: World, by: &'static [Disturbance], properties: impl IntoIterator<Item = Property<Self>>) -> Self {
        let disturbed_until = begin.now + DISTURBED_FOR;
        Self { begin, by, disturbed_until, properties: properties.into_iter().collect() }
    }

    /// Visits every state there is, and prints how many.
    fn hold(self, name: &str) {
        let checked = self.checker().spawn_dfs().join();
        println!("{name}: {} states, {} of them new", checked.state_count(), checked.unique_state_count());
        checked.assert_properties();
    }
}

impl Model for Runs {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.begin.clone()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        steps.extend(world.undisturbed());
        steps.extend(world.resumed());
        if world.now <= self.disturbed_until {
            steps.extend(world.disturbed(self.by));
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        next.take(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.properties.clone()
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.now <= world.disturbed_at + CALM_AFTER + Duration::from_millis(200)
    }
}

fn is_calm(world: &World) -> bool {
    world.is_whole() && world.somebody_runs() && world.now > world.disturbed_at + CALM_AFTER
}

/// P-03, P-05 and P-06; and that the runs are worth the search.
fn everywhere() -> [Property<Runs>; 5] {
    [
        Property::always("the address is installed exactly while the role holds it", |_, world: &World| {
            world.addresses_follow_roles()
        }),
        Property::always("no deadline is left in the past", |_, world: &World| world.no_deadline_is_past()),
        Property::always("there is one owner when all has been calm", |_, world: &World| {
            !is_calm(world) || world.active().len() == 1
        }),
        Property::always("and it is of the best tier", |_, world: &World| {
            !is_calm(world) || world.owner_is_of_the_best_tier()
        }),
        Property::sometimes("calm comes after a disturbance", |runs: &Runs, world: &World| {
            is_calm(world) && world.disturbed_at > runs.begin.disturbed_at
        }),
    ]
}

const ANY: &[Disturbance] = &[
    Disturbance::Lose,
    Disturbance::Kill,
    Disturbance::Start,
    Disturbance::Freeze,
    Disturbance::Cut,
    Disturbance::Resign,
    Disturbance::Fall,
];

fn any(nodes: u8, heartbeats: bool, disturbances: u8) -> Runs {
    let begin = World::settled(nodes, heartbeats, disturbances);
    Runs::from(begin, ANY, everywhere())
}

/// With heartbeats there are thirty times as many orders in which packets arrive.
#[test]
fn two_routers_with_heartbeats_have_one_owner_after_any_disturbance() {
    any(2, true, 1).hold("two routers, any disturbance");
}

#[test]
fn two_routers_have_one_owner_after_any_two_disturbances() {
    let mut runs = any(2, false, 2);
    runs.properties
        .push(Property::sometimes("two are Active for a while", |_, world: &World| world.active().len() == 2));
    runs.hold("two routers without heartbeats, any two disturbances");
}

#[test]
fn three_routers_have_one_owner_after_any_disturbance() {
    any(3, false, 1).hold("three routers without heartbeats, any disturbance");
}

#[test]
#[ignore = "minutes: cargo test --release -p fmc-vrrp --lib -- --ignored --nocapture router::model"]
fn two_and_three_routers_have_one_owner_after_any_more_disturbances() {
    any(2, false, 3).hold("two routers without heartbeats, any three disturbances");
    any(2, true, 2).hold("two routers, any two disturbances");
    any(3, true, 1).hold("three routers, any disturbance");
    any(3, false, 2).hold("three routers without heartbeats, any two disturbances");
    moves(3).hold("moves, any three disturbances");
}

/// A planned move, a fall of fitness and a recovery, whatever is lost of the words between the routers.
fn moves(disturbances: u8) -> Runs {
    const MOVES: &[Disturbance] = &[Disturbance::Lose, Disturbance::Resign, Disturbance::Fall];
    let mut runs = Runs::from(World::settled(2, true, disturbances), MOVES, everywhere());
    runs.properties.push(Property::always("somebody has the address", |_, world: &World| world.somebody_serves()));
    runs.properties.push(Property::sometimes("the second owns it", |_, world: &World| world.active() == [1]));
    runs
}

#[test]
fn a_move_leaves_no_instant_without_an_owner() {
    moves(2).hold("moves, any two disturbances");
}

/// P-10: whoever starts later takes nothing from an owner that it can hear, though it ranks above.
#[test]
fn a_better_router_that_starts_later_takes_nothing() {
    const RETURN: &[Disturbance] = &[Disturbance::Start, Disturbance::Lose];
    let mut runs = Runs::from(World::settled_without_the_first(2, 3), RETURN, everywhere());
    runs.properties.push(Property::always("the second owns it", |_, world: &World| world.active() == [1]));
    runs.hold("a late starter, any three disturbances");
}
