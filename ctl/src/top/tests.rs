use std::path::PathBuf;

use fmc_api::Target;
use fmc_api::command::VipChoice;
use fmc_api::events::EventList;
use fmc_api::history::{FrontendHistory, HistoryList};
use fmc_api::word::AdminState;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw;
use super::picture::Picture;
use super::screen::{Act, Screen, Sheet, Wish};
use crate::render::Paint;

/// An answer of the daemon, as the tests of the verbs have it.
fn answer<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/verbs/golden").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn picture(status: &str) -> Picture {
    let status: fmc_api::status::Status = answer(status);
    let cells = |most: u64| (0..60).map(|cell| cell * most / 59).collect::<Vec<_>>();
    let of = |frontend: &fmc_api::status::FrontendStatus| FrontendHistory {
        name: frontend.name.clone(),
        accepted: cells(600),
        open: cells(40),
        relayed_bytes: cells(9_000_000),
    };
    let frontends = status.vips.iter().flat_map(|vip| &vip.frontends).map(of).collect();
    let history =
        HistoryList { now: status.now, node: status.node.clone(), interval_ms: 5000, frontends, servers: vec![] };
    Picture { status, backends: answer("backends"), history, events: answer::<EventList>("events").events }
}

fn looking() -> Screen {
    let mut screen = Screen::default();
    screen.look(Ok(picture("status")));
    screen
}

fn press(screen: &mut Screen, keys: &str) -> Vec<Wish> {
    let key = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
    keys.chars().filter_map(|letter| screen.press(key(letter))).collect()
}

fn drawn(screen: &Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(screen, Paint::plain(), frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned() + "\n";
    (0..height).map(line).collect()
}

fn assert_golden(name: &str, shown: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, expected, "{name} differs; is that wanted? UPDATE_GOLDEN=1 cargo test -p fmc-ctl");
}

#[test]
fn the_view_is_whole_on_a_small_terminal_and_uses_a_large_one() {
    let mut screen = looking();
    assert_golden("80x24.txt", &drawn(&screen, 80, 24));
    assert_golden("120x40.txt", &drawn(&screen, 120, 40));
    screen.look(Ok(picture("status_trouble")));
    assert_golden("trouble.txt", &drawn(&screen, 80, 24));
    press(&mut screen, "?");
    assert_golden("help.txt", &drawn(&screen, 80, 24));
}

#[test]
fn no_size_is_too_small_to_draw() {
    let mut screen = looking();
    press(&mut screen, "?");
    for (width, height) in [(1, 1), (10, 3), (40, 8), (79, 23)] {
        drawn(&screen, width, height);
    }
}

#[test]
fn an_old_picture_stays_and_says_that_it_is_old() {
    let mut screen = looking();
    screen.look(Err("fmc-lb is not running".to_owned()));
    let shown = drawn(&screen, 80, 24);
    assert!(shown.contains("old picture: fmc-lb is not running") && shown.contains("192.168.0.32"), "{shown}");
    let mut blind = Screen::default();
    blind.look(Err("fmc-lb is not running".to_owned()));
    assert!(drawn(&blind, 80, 24).starts_with("fmc-lb is not running"));
}

#[test]
fn an_act_is_asked_for_shown_and_done_only_when_it_is_confirmed() {
    let mut screen = looking();
    let vips = screen.picture.as_ref().unwrap().status.vips.len();
    press(&mut screen, &"j".repeat(vips));
    let backend = &screen.picture.as_ref().unwrap().backends.backends[0];
    let server = Target::ServerOf(backend.name.clone(), backend.servers[0].name.clone());
    let act = Act::Set(server, AdminState::Drain);
    assert_eq!(press(&mut screen, "d"), [Wish::Plan(act.clone())]);
    screen.planned(act.clone(), Ok("masters/master1: ready -> drain".to_owned()));
    let shown = drawn(&screen, 80, 24);
    assert!(shown.contains("masters/master1: ready -> drain") && shown.contains("y: do it"), "{shown}");
    assert_eq!(press(&mut screen, "n"), []);
    assert_eq!(screen.message.as_deref(), Some("nothing was changed"));
    press(&mut screen, "d");
    screen.planned(act.clone(), Ok(String::new()));
    assert_eq!(press(&mut screen, "y"), [Wish::Do(act)]);
}

#[test]
fn a_plan_that_nobody_waits_for_any_more_asks_nothing() {
    let mut screen = looking();
    let wishes = press(&mut screen, "F");
    assert_eq!(wishes, [Wish::Plan(Act::Failover(VipChoice::All))]);
    press(&mut screen, "x");
    screen.planned(Act::Failover(VipChoice::All), Ok("api: loadbalancer1 -> another".to_owned()));
    assert_eq!(screen.sheet, Sheet::None);
    assert_eq!(press(&mut screen, "y"), []);
}

#[test]
fn a_plan_that_is_refused_says_why_and_asks_nothing() {
    let mut screen = looking();
    press(&mut screen, "F");
    screen.planned(Act::Failover(VipChoice::All), Err("the keeper is not running".to_owned()));
    assert_eq!(screen.sheet, Sheet::None);
    assert!(drawn(&screen, 80, 24).contains("the keeper is not running"));
}

#[test]
fn what_a_row_cannot_do_is_refused_in_words() {
    let mut screen = looking();
    assert_eq!(press(&mut screen, "d"), []);
    assert_eq!(screen.message.as_deref(), Some("choose a server for that"));
    press(&mut screen, "G");
    assert_eq!(press(&mut screen, "f"), []);
    assert_eq!(screen.message.as_deref(), Some("choose a VIP for that"));
}

#[test]
fn a_choice_stays_on_the_screen_when_rows_go() {
    let mut screen = looking();
    press(&mut screen, "G");
    let mut fewer = picture("status");
    fewer.backends.backends.clear();
    screen.look(Ok(fewer));
    assert_eq!(screen.selected, screen.picture.as_ref().unwrap().status.vips.len() - 1);
}

#[test]
fn control_c_leaves_whatever_lies_over_the_view() {
    let mut screen = looking();
    press(&mut screen, "?");
    let leave = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.press(leave), Some(Wish::Quit));
}
