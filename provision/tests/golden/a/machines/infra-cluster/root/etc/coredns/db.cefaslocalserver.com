; Rendered from the inventory; a change belongs there.
$TTL 3600
@ IN SOA infra-cluster.cefaslocalserver.com. hostmaster.infra-cluster.cefaslocalserver.com. 370014619 3600 600 604800 300
@ IN NS infra-cluster.cefaslocalserver.com.
@ IN A 192.168.0.14
api IN A 192.168.0.10
dns IN A 192.168.0.30
infra-cluster IN A 192.168.0.30
k8s-api IN A 192.168.0.10
loadbalancer1 IN A 192.168.0.11
loadbalancer2 IN A 192.168.0.12
master1 IN A 10.17.4.21
master2 IN A 10.17.4.22
master3 IN A 10.17.4.23
ntp IN A 192.168.0.30
postgresql1 IN A 10.17.3.14
storage1 IN A 10.17.4.27
traefik IN A 192.168.0.14
virtualizacion-server IN A 192.168.0.40
web IN A 192.168.0.14
wireguard-server IN A 192.168.0.15
worker1 IN A 10.17.4.24
worker2 IN A 10.17.4.25
worker3 IN A 10.17.4.26
www IN A 192.168.0.14
