"""The compute market: mechanisms, contagion, and an economy in which every credit is accounted for.

The mechanisms are modules of pure functions: `auction`, `double_auction`, `spot`, `brokers`, `sharing`; `ledger`,
`credit`, `futures`, `delivery`, `memory`, `resolution`, `rescue`, `wind_down`; `clearing`, `contagion`, `debtrank`,
`fire_sales`, `cross_holdings`, `interbank`; `money`, `search_money`, `commons`, `renewable`, `leverage`, `herding`;
`observables`, `timeline`. The models are here.
"""

from jaxcoord.market import (
    auction,
    brokers,
    clearing,
    commons,
    contagion,
    credit,
    cross_holdings,
    debtrank,
    delivery,
    double_auction,
    fire_sales,
    futures,
    herding,
    interbank,
    ledger,
    leverage,
    memory,
    money,
    observables,
    renewable,
    rescue,
    resolution,
    search_money,
    sharing,
    spot,
    timeline,
    wind_down,
)
from jaxcoord.market.commons import CommonPool
from jaxcoord.market.contagion import InterbankContagion
from jaxcoord.market.double_auction_model import DoubleAuction
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.herding import Herding
from jaxcoord.market.leverage import LeverageCycle
from jaxcoord.market.money_models import CreditExchange, WealthExchange
from jaxcoord.market.renewable import RenewablePool
from jaxcoord.market.search_money import SearchMoney

__all__ = [
    "CommonPool",
    "ComputeEconomy",
    "CreditExchange",
    "DoubleAuction",
    "Herding",
    "InterbankContagion",
    "LeverageCycle",
    "RenewablePool",
    "SearchMoney",
    "WealthExchange",
    "auction",
    "brokers",
    "clearing",
    "commons",
    "contagion",
    "credit",
    "cross_holdings",
    "debtrank",
    "delivery",
    "double_auction",
    "fire_sales",
    "futures",
    "herding",
    "interbank",
    "ledger",
    "leverage",
    "memory",
    "money",
    "observables",
    "renewable",
    "rescue",
    "resolution",
    "search_money",
    "sharing",
    "spot",
    "timeline",
    "wind_down",
]
