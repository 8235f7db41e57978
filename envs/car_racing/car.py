"""CarRacing-v3's car with its arithmetic on Python floats, and built from definitions that are made once.

Gymnasium's `Car` calls numpy on single numbers, which takes most of its time. Here each operation is the same one, in
the same order, of which every result is equal to the last bit (tested against Gymnasium).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from Box2D import b2_dynamicBody, b2BodyDef, b2FixtureDef, b2PolygonShape, b2RevoluteJointDef
from gymnasium.envs.box2d import car_dynamics as dynamics

SIZE = dynamics.SIZE
STIFFNESS = 205000 * SIZE * SIZE
"""Force per unit of speed by which a wheel slips."""
BRAKE_FORCE = 15
"""Radians per second that full brakes take from a wheel in a step."""


class CarParts:
    """Definitions of the car's bodies, shapes and joints, for any number of cars one after the other."""

    def __init__(self) -> None:
        self.body = b2BodyDef(type=b2_dynamicBody)
        self.hull = [
            b2FixtureDef(shape=_polygon(corners), density=1.0)
            for corners in (dynamics.HULL_POLY1, dynamics.HULL_POLY2, dynamics.HULL_POLY3, dynamics.HULL_POLY4)
        ]
        wide, long = dynamics.WHEEL_W, dynamics.WHEEL_R
        self.wheel = b2FixtureDef(
            shape=_polygon([(-wide, +long), (+wide, +long), (+wide, -long), (-wide, -long)]),
            density=0.1,
            categoryBits=0x0020,
            maskBits=0x001,
            restitution=0.0,
        )
        self.joints = [
            b2RevoluteJointDef(
                localAnchorA=(x * SIZE, y * SIZE),
                localAnchorB=(0, 0),
                enableMotor=True,
                enableLimit=True,
                maxMotorTorque=180 * 900 * SIZE * SIZE,
                motorSpeed=0,
                lowerAngle=-0.4,
                upperAngle=+0.4,
            )
            for x, y in dynamics.WHEELPOS
        ]


class Car(dynamics.Car):
    """Gymnasium's `Car`, made of `parts` and quicker: the same bodies in the same order, moved by the same forces."""

    def __init__(self, world: Any, parts: CarParts, angle: float, x: float, y: float) -> None:
        self.world = world
        place = parts.body
        place.angle, place.position = angle, (x, y)
        self.hull = world.CreateBody(place)
        for fixture in parts.hull:
            self.hull.CreateFixture(fixture)
        self.hull.color = (0.8, 0.0, 0.0)
        self.fuel_spent = 0.0
        self.wheels = []
        for (wheel_x, wheel_y), joint in zip(dynamics.WHEELPOS, parts.joints, strict=True):
            place.position = (x + wheel_x * SIZE, y + wheel_y * SIZE)
            wheel = world.CreateBody(place)
            wheel.CreateFixture(parts.wheel)
            wheel.wheel_rad = dynamics.WHEEL_R * SIZE
            wheel.color = dynamics.WHEEL_COLOR
            wheel.gas = wheel.brake = wheel.steer = 0.0
            wheel.phase = wheel.omega = 0.0
            wheel.skid_start = wheel.skid_particle = None
            joint.bodyA, joint.bodyB = self.hull, wheel
            wheel.joint = world.CreateJoint(joint)
            wheel.tiles = set()
            wheel.userData = wheel
            self.wheels.append(wheel)
        self.drawlist = [*self.wheels, self.hull]
        self.particles = deque(maxlen=30)

    def gas(self, gas: float) -> None:
        """Press the gas pedal, 0 to 1; the rear wheels get it little by little, and lose it at once."""
        gas = float(gas)
        gas = 0.0 if gas < 0 else min(gas, 1.0)
        for wheel in self.wheels[2:4]:
            more = gas - wheel.gas
            wheel.gas += 0.1 if more > 0.1 else more

    def brake(self, b: float) -> None:
        """Press the brake pedal, 0 to 1; from 0.9 on the wheels stand still."""
        super().brake(float(b))

    def steer(self, s: float) -> None:
        """Turn the front wheels towards `s`, from -1 to 1."""
        super().steer(float(s))

    def step(self, dt: float) -> None:
        """Set the wheels' motors, rotation and forces for the next `dt` seconds."""
        power, inertia = dt * dynamics.ENGINE_POWER, dynamics.WHEEL_MOMENT_OF_INERTIA
        for wheel in self.wheels:
            joint = wheel.joint
            turn = wheel.steer - joint.angle
            joint.motorSpeed = _sign(turn) * min(50.0 * abs(turn), 3.0)
            grass, limit = True, dynamics.FRICTION_LIMIT * 0.6
            for tile in wheel.tiles:
                limit = max(limit, dynamics.FRICTION_LIMIT * tile.road_friction)
                grass = False
            # The vector (0, 1) of the wheel is its (1, 0) turned by a quarter.
            side = wheel.GetWorldVector((1, 0))
            side_x, side_y = side.x, side.y
            speed = wheel.linearVelocity
            speed_x, speed_y = speed.x, speed.y
            forward = -side_y * speed_x + side_x * speed_y
            sideways = side_x * speed_x + side_y * speed_y

            omega, gas, brake, radius = wheel.omega, wheel.gas, wheel.brake, wheel.wheel_rad
            omega += power * gas / inertia / (abs(omega) + 5.0)
            self.fuel_spent += power * gas
            if brake >= 0.9:
                omega = 0.0
            elif brake > 0:
                omega -= _sign(omega) * min(abs(omega), BRAKE_FORCE * brake)
            wheel.phase += omega * dt

            push, pull = (-forward + omega * radius) * STIFFNESS, -sideways * STIFFNESS
            force = math.sqrt(push * push + pull * pull)
            if force > 2.0 * limit:
                self._skid(wheel, grass)
            else:
                wheel.skid_start = wheel.skid_particle = None
            if force > limit:
                push, pull = push / force * limit, pull / force * limit
            wheel.omega = omega - dt * push * radius / inertia
            wheel.ApplyForceToCenter((pull * side_x - push * side_y, pull * side_y + push * side_x), True)

    def _skid(self, wheel: Any, grass: bool) -> None:
        """Go on with the wheel's skid mark, or begin one."""
        mark, place = wheel.skid_particle, wheel.position
        if mark and mark.grass == grass and len(mark.poly) < 30:
            mark.poly.append((place[0], place[1]))
        elif wheel.skid_start is None:
            wheel.skid_start = place
        else:
            wheel.skid_particle = self._create_particle(wheel.skid_start, place, grass)
            wheel.skid_start = None


def _sign(value: float) -> float:
    """1, 0 or -1; what is not a number stays so, as in numpy."""
    if value > 0:
        return 1.0
    return -1.0 if value < 0 else value


def _polygon(corners: list[tuple[int, int]]) -> b2PolygonShape:
    return b2PolygonShape(vertices=[(x * SIZE, y * SIZE) for x, y in corners])
