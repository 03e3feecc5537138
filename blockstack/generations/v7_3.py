"""Linux 6.18 on."""

from blockstack.generations.v6_12 import V6_12

V7_3 = V6_12.child("7.3", spans=(((6, 18), (8,)),))
