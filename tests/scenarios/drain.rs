//! A server is taken out of service without cutting anybody.

use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::Pair;
use fmc_tests::server::Server;
use fmc_tests::stream::Streams;

#[test]
fn a_drained_worker_keeps_its_streams_gets_nothing_new_and_comes_back() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams());
    let streams = Streams::open(lab.client(), "192.168.0.33:7", 9, Duration::from_millis(50));
    assert!(open_on(&pair, "worker1") > 0, "no stream is on worker1");

    let waited = pair.first.ctl(&["drain", "workers/worker1", "--wait", "--timeout", "1s", "--yes"]);
    assert_eq!(waited.status.code(), Some(1), "streams are open, so the answer within a second is no");
    assert_eq!(streams.alive(), 9, "a drain cuts nobody");
    assert!(!served_by(&lab).contains(&"worker1".to_owned()), "a drained worker gets nothing new");

    let ends = streams.close();
    assert!(ends.iter().all(|end| end.cut.is_none()), "{ends:?}");
    pair.first.expect_ctl(&["drain", "workers/worker1", "--wait", "--timeout", "5s", "--yes"]);
    assert_eq!(open_on(&pair, "worker1"), 0);

    pair.first.expect_ctl(&["ready", "workers/worker1", "--wait", "--timeout", "5s", "--yes"]);
    let back = || served_by(&lab).contains(&"worker1".to_owned());
    eventually("a ready worker serves again", Duration::from_secs(3), back);
}

#[test]
fn maintenance_ends_what_is_open_and_says_so_to_nobody_else() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams());
    let streams = Streams::open(lab.client(), "192.168.0.33:7", 9, Duration::from_millis(50));
    let on_worker1 = open_on(&pair, "worker1");
    assert!(on_worker1 > 0, "no stream is on worker1");

    pair.first.expect_ctl(&["maint", "workers/worker1", "--yes"]);
    let cut = || streams.alive() == 9 - on_worker1;
    eventually("the streams on worker1 end, the others live", Duration::from_secs(3), cut);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(streams.alive(), 9 - on_worker1);
}

#[test]
fn a_worker_whose_check_serves_two_backends_serves_again_after_maintenance_in_either() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let follower = "
        [frontends.plain]
        vip = \"api\"
        port = 80
        profile = \"traefik-web\"
        backend = \"plain\"

        [backends.plain]
        servers = { worker1 = \"10.17.4.24\", worker2 = \"10.17.4.25\", worker3 = \"10.17.4.26\" }
        check = { track = \"workers\" }
    ";
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(follower));
    for (backend, address) in [("workers", "192.168.0.33:80"), ("plain", "192.168.0.32:80")] {
        let serves = || served_at(&lab, address).contains(&"worker1".to_owned());
        assert!(serves(), "{backend}: worker1 does not serve before it is taken out");
        let server = format!("{backend}/worker1");
        pair.first.expect_ctl(&["maint", &server, "--yes"]);
        assert!(!serves(), "{backend}: worker1 serves in maintenance");
        pair.first.expect_ctl(&["ready", &server, "--yes"]);
        eventually(&format!("{server} serves again"), Duration::from_secs(5), serves);
    }
}

fn open_on(pair: &Pair<'_>, server: &str) -> usize {
    let servers = pair.first.backends().backends.into_iter().flat_map(|backend| backend.servers);
    let open: u64 = servers.filter(|status| status.name.as_str() == server).map(|status| status.connections).sum();
    usize::try_from(open).expect("a small number")
}

fn served_by(lab: &Lab) -> Vec<String> {
    served_at(lab, "192.168.0.33:80")
}

fn served_at(lab: &Lab, address: &str) -> Vec<String> {
    let load = Load::start(lab.client(), Target::http(address), Duration::from_millis(5));
    std::thread::sleep(Duration::from_millis(300));
    let record = load.stop();
    record.assert_all_served();
    record.spread().into_keys().collect()
}
