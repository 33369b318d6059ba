"""A day at the counter as a discrete-event simulation: who waits how long when an agent takes part of the work.

    people = simulate(Desk(officers=3), seed=1)
    agent = simulate(Desk(officers=3, automated=0.7, resolved_by_agent=0.9), seed=1)
    people.mean_wait, agent.mean_wait                # minutes

Citizens arrive as a Poisson process. A share `automated` is dealt with by the agent, which serves everybody at once; the others
join one line in front of the officers (M/G/c: service times are gamma-distributed with a coefficient of variation of one half).
Whoever is not helped the first time (`resolved_by_…`) comes back after a while, and then sees an officer. The three ways of
working differ in `automated` and `resolved_by_agent` only: take both from an examination of the router, the model or people.
"""

import heapq
import random
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Desk:
    """How the counter works; all times in minutes, shares from 0 to 1."""

    officers: int = 3
    arrivals_per_hour: float = 24.0
    hours: float = 8.0
    officer_minutes: float = 7.0
    agent_minutes: float = 1.0
    automated: float = 0.0  # share of the citizens whom the agent deals with
    resolved_by_agent: float = 0.9  # share of those whom it helps at once
    resolved_by_officer: float = 0.95
    return_after: float = 60.0  # until somebody who was not helped comes back, on average


@dataclass(frozen=True)
class Day:
    """What a simulated day showed: waits in minutes over all visits (the agent's visits wait nothing), shares from 0 to 1."""

    citizens: int
    visits: int
    mean_wait: float
    mean_wait_officer: float
    longest_wait: float
    first_contact: float  # share of the citizens helped on their first visit
    busy: float  # officers' time in use until the last citizen left


def simulate(desk, seed=0):
    """One day of the counter. The same seed gives the same arrivals and the same luck to every way of working."""
    if desk.officers < 1 or not 0 < desk.resolved_by_officer <= 1 or not 0 <= desk.automated <= 1 or not 0 <= desk.resolved_by_agent <= 1:
        raise ValueError("give at least one officer, shares from 0 to 1, and officers who can resolve something")
    rng, time, events = random.Random(seed), 0.0, []
    while (time := time + rng.expovariate(desk.arrivals_per_hour / 60)) < desk.hours * 60:
        heapq.heappush(events, (time, len(events), 1, rng.randrange(2**32)))  # the last is the citizen's luck, whatever the order of events
    citizens = len(events)
    free = [0.0] * desk.officers  # when each officer is free next
    waits, officer_waits, helped_first, work, end = [], [], 0, 0.0, 0.0
    while events:
        time, citizen, visit, luck = heapq.heappop(events)
        own = random.Random(luck * 31 + visit)
        u_route, u_resolved, service, back = own.random(), own.random(), own.gammavariate(4, 1 / 4), own.expovariate(1)
        if visit == 1 and u_route < desk.automated:
            start, done, resolved = time, time + desk.agent_minutes * service, u_resolved < desk.resolved_by_agent
        else:
            start = max(time, heapq.heappop(free))
            done, resolved = start + desk.officer_minutes * service, u_resolved < desk.resolved_by_officer
            heapq.heappush(free, done)
            work += done - start
            officer_waits.append(start - time)
        waits.append(start - time)
        end = max(end, done)
        if resolved:
            helped_first += visit == 1
        else:
            heapq.heappush(events, (done + desk.return_after * back, citizen, visit + 1, luck))
    wait, wait_officer = fmean(waits or [0.0]), fmean(officer_waits or [0.0])
    busy, first = work / (desk.officers * end or 1.0), helped_first / max(1, citizens)
    return Day(citizens, len(waits), wait, wait_officer, max(waits, default=0.0), first, busy)
