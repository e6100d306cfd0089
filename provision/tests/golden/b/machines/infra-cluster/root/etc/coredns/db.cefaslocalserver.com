; Rendered from the inventory; a change belongs there.
$TTL 3600
@ IN SOA infra-cluster.cefaslocalserver.com. hostmaster.infra-cluster.cefaslocalserver.com. 1055186675 3600 600 604800 300
@ IN NS infra-cluster.cefaslocalserver.com.
@ IN A 10.17.5.30
api IN A 10.17.5.10
dns IN A 10.17.3.11
infra-cluster IN A 10.17.3.11
k8s-api IN A 10.17.5.10
k8s-api-lb IN A 10.17.5.20
loadbalancer1 IN A 10.17.3.12
loadbalancer2 IN A 10.17.3.13
master1 IN A 10.17.4.21
master2 IN A 10.17.4.22
master3 IN A 10.17.4.23
ntp IN A 10.17.3.11
postgresql1 IN A 10.17.3.14
storage1 IN A 10.17.4.27
traefik IN A 10.17.5.30
virtualizacion-server IN A 192.168.0.19
web IN A 10.17.5.30
wireguard-server IN A 192.168.0.15
worker1 IN A 10.17.4.24
worker2 IN A 10.17.4.25
worker3 IN A 10.17.4.26
www IN A 10.17.5.30
