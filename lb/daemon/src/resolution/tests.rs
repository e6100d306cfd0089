use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn config(dns: &str) -> Config {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/examples/flatcar-micro-cloud.toml");
    let text = std::fs::read_to_string(example)
        .unwrap()
        .replace("worker2 = \"10.17.4.25\"", "each = { address = \"w.lab\", records = 2 }")
        .replace("master2 = \"10.17.4.22:6443\"", "one = \"w.lab:6443\"");
    let text = format!("{text}\n[dns]\n{dns}\n");
    Config::parse(&text, "test.toml").unwrap_or_else(|errors| panic!("{}", errors.lines()))
}

fn host() -> HostName {
    "w.lab".parse().unwrap()
}

fn answer(addresses: &[&str], ttl: Duration) -> Result<Answer, String> {
    Ok(Answer { addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(), ttl })
}

/// What the server of that name has.
fn has(resolution: &Resolution, name: &str) -> Vec<String> {
    let config = config("");
    let named = config.backends.iter().flat_map(|backend| &backend.named).find(|named| named.name.as_str() == name);
    resolution.addresses(named.unwrap()).iter().map(ToString::to_string).collect()
}

#[test]
fn an_answer_is_good_for_its_ttl_within_the_bounds() {
    let start = Instant::now();
    for (ttl, asked_after) in [(0, 5), (20, 20), (86_400, 300)] {
        let mut resolution = Resolution::new(&config(""), start);
        assert_eq!(resolution.due(start), [host()]);
        assert_eq!(resolution.due(start + SECOND * 3600), [], "one question at a time");
        resolution.hear(&host(), answer(&["10.0.0.1"], SECOND * ttl), start).unwrap();
        assert_eq!(resolution.due(start + SECOND * asked_after - Duration::from_millis(1)), [], "ttl {ttl}");
        assert_eq!(resolution.due(start + SECOND * asked_after), [host()], "ttl {ttl}");
    }
}

#[test]
fn the_order_of_an_answer_changes_nothing_and_a_server_of_one_address_keeps_it_while_it_may() {
    let start = Instant::now();
    let mut resolution = Resolution::new(&config(""), start);
    assert!(resolution.hear(&host(), answer(&["10.0.0.9", "10.0.0.5"], SECOND), start).is_some());
    assert_eq!(
        (has(&resolution, "one"), has(&resolution, "each")),
        (vec!["10.0.0.5".to_owned()], vec!["10.0.0.5".to_owned(), "10.0.0.9".to_owned()])
    );
    assert_eq!(resolution.hear(&host(), answer(&["10.0.0.5", "10.0.0.9", "10.0.0.5"], SECOND), start), None);
    let change = resolution.hear(&host(), answer(&["10.0.0.9", "10.0.0.1", "10.0.0.5"], SECOND), start).unwrap();
    assert_eq!((change.before.len(), change.after.len()), (2, 3));
    assert_eq!(has(&resolution, "one"), ["10.0.0.5"], "it is still among them");
    assert_eq!(has(&resolution, "each"), ["10.0.0.1", "10.0.0.5"], "of too many the lowest, on every node");
    resolution.hear(&host(), answer(&["10.0.0.9"], SECOND), start).unwrap();
    assert_eq!(has(&resolution, "one"), ["10.0.0.9"]);
}

#[test]
fn whoever_gives_no_answer_changes_nothing_and_is_asked_again_ever_more_patiently() {
    let start = Instant::now();
    let mut resolution = Resolution::new(&config(""), start);
    resolution.hear(&host(), answer(&["10.0.0.1"], SECOND), start);
    let mut now = start;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(resolution.hear(&host(), Err("no answer".to_owned()), now), None);
        assert_eq!(resolution.due(now + SECOND * pause - Duration::from_millis(1)), []);
        now += SECOND * pause;
        assert_eq!(resolution.due(now), [host()], "after {pause} s");
    }
    assert_eq!(has(&resolution, "one"), ["10.0.0.1"]);
    assert_eq!(resolution.of(&host()).unwrap().failing.as_ref().unwrap().since, start);
    assert_eq!(resolution.expire(now + SECOND * 1_000_000), [], "nothing is given up unless that is wanted");
    resolution.hear(&host(), answer(&["10.0.0.1"], SECOND), now);
    assert_eq!(resolution.of(&host()).unwrap().failing, None);
}

#[test]
fn an_answer_is_given_up_once_it_was_held_for_long_enough() {
    let start = Instant::now();
    let mut resolution = Resolution::new(&config("hold = \"60s\""), start);
    resolution.hear(&host(), answer(&["10.0.0.1"], SECOND), start);
    resolution.hear(&host(), Err("no answer".to_owned()), start + SECOND * 10);
    assert_eq!(resolution.expire(start + SECOND * 69), []);
    assert_eq!(resolution.expire(start + SECOND * 70).len(), 1);
    assert_eq!(resolution.expire(start + SECOND * 71), [], "once");
    assert_eq!(has(&resolution, "one"), [""; 0]);
}

#[test]
fn an_answer_without_an_address_that_a_server_can_have_is_none() {
    let start = Instant::now();
    let mut resolution = Resolution::new(&config(""), start);
    assert!(resolution.is_awaited(&host()));
    // Ours is 192.168.0.33: connections would come back.
    let useless = ["0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:10.0.0.1", "192.168.0.33"];
    assert_eq!(resolution.hear(&host(), answer(&useless, SECOND), start), None);
    assert_eq!(resolution.hear(&host(), answer(&[], SECOND), start), None);
    assert!(!resolution.is_awaited(&host()) && resolution.of(&host()).unwrap().failing.is_some());
}

#[test]
fn a_reload_keeps_what_is_known_of_names_that_stay() {
    let start = Instant::now();
    let mut resolution = Resolution::new(&config(""), start);
    resolution.due(start);
    resolution.hear(&host(), answer(&["10.0.0.1"], SECOND * 100), start);
    resolution.reconfigure(&config("min_ttl = \"2s\""), start);
    assert_eq!((has(&resolution, "one"), resolution.due(start)), (vec!["10.0.0.1".to_owned()], vec![]));
    resolution.reconfigure(&config("resolvers = [\"10.0.0.53\"]"), start);
    assert_eq!(
        (has(&resolution, "one"), resolution.due(start)),
        (vec!["10.0.0.1".to_owned()], vec![host()]),
        "another may know better"
    );
}
