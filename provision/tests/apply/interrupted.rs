//! A run that is cut off at any command and repeated ends as one that was not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::places::Places;
use crate::{apply, apply_until_nothing_is_left, lab, same, with_image};

/// In an ordinary run, every so many commands; all of them with `--ignored`, which takes minutes.
const STRIDE: usize = 60;

#[test]
fn a_new_lab_is_the_same_wherever_its_making_was_cut_off() {
    making(STRIDE);
}

#[test]
#[ignore = "minutes; every command is cut off once"]
fn a_new_lab_is_the_same_whichever_command_of_its_making_was_cut_off() {
    making(1);
}

#[test]
fn a_lab_that_gets_other_addresses_is_the_same_wherever_that_was_cut_off() {
    re_addressing(STRIDE);
}

#[test]
#[ignore = "minutes; every command is cut off once"]
fn a_lab_that_gets_other_addresses_is_the_same_whichever_command_of_it_was_cut_off() {
    re_addressing(1);
}

fn making(stride: usize) {
    let new = lab("new", same);
    cut_off(stride, |_| {}, |places| apply(&new, places).map(drop), |places| apply_until_nothing_is_left(&new, places));
}

fn re_addressing(stride: usize) {
    let (old, new) = (lab("old", same), lab("new", same));
    cut_off(
        stride,
        |places| apply_until_nothing_is_left(&old, places),
        |places| apply(&new, places).map(drop),
        |places| apply_until_nothing_is_left(&new, places),
    );
}

fn cut_off<E>(
    stride: usize,
    before: impl Fn(&mut Places),
    run: impl Fn(&mut Places) -> Result<(), E>,
    finish: impl Fn(&mut Places),
) {
    let mut places = with_image();
    before(&mut places);
    places.commands = 0;
    assert!(run(&mut places).is_ok(), "nothing is in its way");
    let commands = places.commands;
    finish(&mut places);
    let agreed = state(&places);
    assert!(commands > 20, "{commands} commands are hardly a lab");
    for after in (0..commands).step_by(stride) {
        let mut places = with_image();
        before(&mut places);
        places.commands = 0;
        places.lost_after = Some(after);
        // Whatever it says: nobody hears it.
        let _ = run(&mut places);
        places.lost_after = None;
        finish(&mut places);
        let state = state(&places);
        let differs: Vec<_> =
            agreed.keys().chain(state.keys()).filter(|path| agreed.get(*path) != state.get(*path)).collect();
        assert!(differs.is_empty(), "cut off after {after} of {commands} commands: {differs:?}");
    }
}

/// The order in which files were first written is no part of it.
fn state(places: &Places) -> BTreeMap<PathBuf, String> {
    let mut state = places.state();
    for (_, text) in state.iter_mut().filter(|(path, _)| path.ends_with("var/lib/fmc-lab/written")) {
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        *text = lines.join("\n");
    }
    state
}
