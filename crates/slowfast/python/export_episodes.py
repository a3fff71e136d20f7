"""Episodes of MiniWorld and of ViZDoom (Freedoom's maps), a file each, for ``slowfast data import``.

    pip install -r requirements.txt
    python export_episodes.py miniworld --out episodes --scenes 20
    slowfast data import episodes --out clips

A scene is a building drawn from a seed (MiniWorld) or a map (ViZDoom); the last scenes are for tests, those before them for
validation, so no scene is in two splits. The episodes of a scene take the routes in turn: by default the first explores and
the next three go there and back.

The files are described in ``src/clip/loose.rs``. Actions are numbered as there: three times the turn (none, left, right)
plus the walk (none, forward, back). MiniWorld's agent is put where whole-number poses say, so its ways back are exact; in
ViZDoom the agent has momentum, so only turns on the spot are, and frames are to be paired by pose.
"""

import argparse
import contextlib
import json
import math
import random
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

TURNS_PER_CIRCLE = 32
FRAMES_PER_ACTION = 4
STAY, FORWARD, BACK, LEFT, LEFT_FORWARD, RIGHT, RIGHT_FORWARD = 0, 1, 2, 3, 4, 6, 7
ROUTES = ["explore", "look-away", "full-turn", "retrace"]
HALF_CIRCLE = TURNS_PER_CIRCLE // 2 // FRAMES_PER_ACTION


def turn_of(action):
    """1 for left, -1 for right."""
    return [0, 1, -1][action // 3]


def walk_of(action):
    """1 for forward, -1 for back."""
    return [0, 1, -1][action % 3]


def inverse(action):
    return 3 * [0, 2, 1][action // 3] + [0, 2, 1][action % 3]


class MiniWorldScene:
    """A building of three by three rooms; places are whole numbers of 1/65,536 of a length, headings of half turns."""

    source = "MiniWorld 2.1.0"
    room, door, step = 5.0, 1.6, 0.25
    textures = [
        "brick_wall", "concrete", "stucco", "wood", "marble", "cinder_blocks", "metal_grill", "wood_planks", "cardboard", "rock",
    ]  # fmt: skip
    colours = ["red", "green", "blue", "purple", "yellow", "grey"]

    def __init__(self, seed, size):
        import pyglet

        pyglet.options["headless"] = True
        from miniworld.entity import Ball, Box, Key
        from miniworld.miniworld import MiniWorldEnv

        scene, rng = self, random.Random(f"miniworld {seed}")

        class Rooms(MiniWorldEnv):
            def _gen_world(self):
                scene.build(self, rng, [Ball, Box, Key])
                self.place_agent()

        self.name = f"rooms-{seed}"
        self.env = Rooms(obs_width=size, obs_height=size)
        self.env.reset(seed=seed)

    def build(self, env, rng, entities):
        pitch = self.room + 0.2
        rooms = {}
        for row in range(3):
            for column in range(3):
                west, north = column * pitch, row * pitch
                rooms[column, row] = env.add_rect_room(
                    min_x=west,
                    max_x=west + self.room,
                    min_z=north,
                    max_z=north + self.room,
                    wall_tex=rng.choice(self.textures),
                    floor_tex=rng.choice(self.textures),
                    ceil_tex="ceiling_tiles",
                )
        self.centres = {cell: (cell[0] * pitch + self.room / 2, cell[1] * pitch + self.room / 2) for cell in rooms}
        pairs = [(c, (c[0] + dx, c[1] + dy)) for c in rooms for dx, dy in [(1, 0), (0, 1)] if (c[0] + dx, c[1] + dy) in rooms]
        rng.shuffle(pairs)
        group = {cell: cell for cell in rooms}
        self.neighbours = {cell: [] for cell in rooms}
        for one, other in pairs:
            if group[one] == group[other] and rng.random() > 0.3:
                continue
            group = {cell: group[one] if g == group[other] else g for cell, g in group.items()}
            self.neighbours[one].append(other)
            self.neighbours[other].append(one)
            axis = 0 if one[0] != other[0] else 1
            middle = self.centres[one][1 - axis]
            span = {"min_z": middle - self.door / 2, "max_z": middle + self.door / 2}
            if axis == 1:
                span = {"min_x": span["min_z"], "max_x": span["max_z"]}
            env.connect_rooms(rooms[one], rooms[other], max_y=2.2, **span)
        for cell, room in rooms.items():
            kind = rng.choice(entities)
            landmark = kind(color=rng.choice(self.colours))
            corner = [rng.choice([-1.6, 1.6]) for _ in range(2)]
            x, z = self.centres[cell]
            env.place_entity(landmark, room=room, pos=np.array([x + corner[0], 0.0, z + corner[1]]), dir=0.0)

    def start(self, rng):
        cell = rng.choice(sorted(self.centres))
        x, z = self.centres[cell]
        return (round(x * 65536), round(-z * 65536), 2 * rng.randrange(TURNS_PER_CIRCLE))

    def after(self, pose, action):
        """The pose after an action, or None where something is in the way."""
        x, y, heading = pose
        turn, walk = turn_of(action), walk_of(action)
        headings = 2 * TURNS_PER_CIRCLE
        middle = (heading + turn) % headings
        angle, sign = 2 * math.pi * (middle % TURNS_PER_CIRCLE) / headings, 1 if middle < TURNS_PER_CIRCLE else -1
        x += walk * sign * round(self.step * 65536 * math.cos(angle))
        y += walk * sign * round(self.step * 65536 * math.sin(angle))
        place = np.array([x / 65536, 0.0, -y / 65536])
        if walk and self.env.intersect(self.env.agent, place, self.env.agent.radius):
            return None
        return (x, y, (heading + 2 * turn) % headings)

    def close(self):
        self.env.close()

    def see(self, pose):
        x, y, heading = pose
        self.env.agent.pos = np.array([x / 65536, 0.0, -y / 65536])
        self.env.agent.dir = 2 * math.pi * heading / (2 * TURNS_PER_CIRCLE)
        return self.env.render_obs().astype(np.uint8)

    def logged(self, pose):
        x, y, heading = pose
        return [x / 65536, y / 65536, 360 * heading / (2 * TURNS_PER_CIRCLE)]

    def held(self, pose, action):
        for _ in range(FRAMES_PER_ACTION):
            pose = self.after(pose, action)
            if pose is None:
                return None
        return pose

    def explore(self, start, count, rng):
        """Actions that visit the rooms seen least, without bumping into anything."""
        pose, actions, visits, waiting = start, [], {cell: 0 for cell in self.centres}, []
        room = min(self.centres, key=lambda cell: self.distance(pose, self.centres[cell]))
        patience = 0
        while len(actions) < count:
            if not waiting or patience > 30:
                visits[room] += 1
                options = self.neighbours[room]
                following = min(options, key=lambda cell: (visits[cell], rng.random()))
                (ax, az), (bx, bz) = self.centres[room], self.centres[following]
                waiting = [self.centres[room], ((ax + bx) / 2, (az + bz) / 2), self.centres[following]]
                room, patience = following, 0
                actions += [rng.choice([LEFT, RIGHT])] * rng.choice([0, 0, HALF_CIRCLE, 2 * HALF_CIRCLE])
                pose = start
                for action in actions:
                    pose = self.held(pose, action)
            if self.distance(pose, waiting[0]) < 0.8:
                waiting.pop(0)
                continue
            action = self.towards(pose, waiting[0], rng)
            pose, patience = self.held(pose, action), patience + 1
            actions.append(action)
        return actions[:count]

    def distance(self, pose, place):
        return math.hypot(pose[0] / 65536 - place[0], -pose[1] / 65536 - place[1])

    def towards(self, pose, place, rng):
        def cost(pose):
            dx, dy = place[0] - pose[0] / 65536, -place[1] - pose[1] / 65536
            off = math.atan2(dy, dx) - 2 * math.pi * pose[2] / (2 * TURNS_PER_CIRCLE)
            return math.hypot(dx, dy) + 0.6 * abs(math.remainder(off, 2 * math.pi))

        moves = [FORWARD, LEFT_FORWARD, RIGHT_FORWARD, LEFT, RIGHT]
        best = (math.inf, LEFT)
        for first in moves:
            there = self.held(pose, first)
            if there is not None:
                ends = [end for second in moves if (end := self.held(there, second)) is not None]
                best = min(best, (min(map(cost, [there, *ends])) + 0.1 * rng.random(), first))
        return best[1]

    def record(self, route, actions, there, rng):
        start = self.start(rng)
        turn = rng.choice([LEFT, RIGHT])
        if route == "explore":
            plan = self.explore(start, actions, rng)
        elif route == "look-away":
            plan = [turn] * HALF_CIRCLE + [inverse(turn)] * HALF_CIRCLE
        elif route == "full-turn":
            plan = [turn] * (2 * HALF_CIRCLE)
        else:
            plan = self.explore(start, there, rng)
            plan += [inverse(action) for action in reversed(plan)]
        pose, codes = start, [STAY]
        frames, poses = [self.see(pose)], [self.logged(pose)]
        for action in plan:
            for _ in range(FRAMES_PER_ACTION):
                pose = self.after(pose, action)
                frames.append(self.see(pose))
                poses.append(self.logged(pose))
                codes.append(action)
        return frames, codes, poses


class DoomScene:
    """A map of Freedoom: Phase 2, without monsters."""

    source = "ViZDoom 1.3.2, Freedoom Phase 2"

    def __init__(self, number, size):
        import vizdoom

        self.size, self.name = size, f"MAP{number + 1:02}"
        game = vizdoom.DoomGame()
        game.set_doom_game_path(str(Path(vizdoom.__file__).parent / "freedoom2.wad"))
        game.set_doom_map(self.name)
        game.add_game_args("-nomonsters")
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        game.set_window_visible(False)
        for hidden in ["hud", "weapon", "crosshair", "decals", "particles", "effects_sprites", "messages", "corpses"]:
            getattr(game, f"set_render_{hidden}")(False)
        game.set_available_buttons(
            [vizdoom.Button.TURN_LEFT_RIGHT_DELTA, vizdoom.Button.MOVE_FORWARD, vizdoom.Button.MOVE_BACKWARD]
        )
        variable = vizdoom.GameVariable
        game.set_available_game_variables([variable.POSITION_X, variable.POSITION_Y, variable.ANGLE])
        game.set_mode(vizdoom.Mode.PLAYER)
        game.set_episode_timeout(0)
        game.init()
        self.game = game

    def close(self):
        self.game.close()

    def see(self):
        screen = self.game.get_state().screen_buffer
        square = Image.fromarray(screen[:, 20:140])
        return np.asarray(square.resize((self.size, self.size), Image.Resampling.BOX))

    def logged(self):
        x, y, angle = self.game.get_state().game_variables
        # 64 units of the map are about as wide as a door.
        return [x / 64, y / 64, angle]

    def act(self, action):
        tics = 4
        delta = -turn_of(action) * 360 / TURNS_PER_CIRCLE / tics
        walk = walk_of(action)
        self.game.make_action([delta, walk == 1, walk == -1], tics)
        return not self.game.is_episode_finished() and not self.game.is_player_dead()

    def record(self, route, actions, there, rng):
        self.game.set_seed(rng.randrange(2**31))
        self.game.new_episode()
        turn = rng.choice([LEFT, RIGHT])
        wander = self.wander(rng)
        # From the map's one start to somewhere else, and to a stand.
        for _ in range(rng.randrange(20)):
            action = next(wander)
            if not all(self.act(action) for _ in range(FRAMES_PER_ACTION)):
                return None
        for _ in range(8):
            self.act(STAY)
        if route == "look-away":
            plan = [turn] * HALF_CIRCLE + [inverse(turn)] * HALF_CIRCLE
        elif route == "full-turn":
            plan = [turn] * (2 * HALF_CIRCLE)
        else:
            plan = []
        frames, codes, poses = [self.see()], [STAY], [self.logged()]
        for number in range(len(plan) or (actions if route == "explore" else 2 * there)):
            if len(plan) <= number:
                back = route == "retrace" and number >= there
                plan.append(inverse(plan[2 * there - 1 - number]) if back else next(wander))
            for _ in range(FRAMES_PER_ACTION):
                if not self.act(plan[number]):
                    return None
                frames.append(self.see())
                codes.append(plan[number])
                poses.append(self.logged())
        return frames, codes, poses

    def wander(self, rng):
        """Walks on until something is in the way, and then turns; now and then turns anyway."""
        while True:
            for _ in range(rng.randint(2, 8)):
                x, y, _ = self.logged()
                yield rng.choices([FORWARD, LEFT_FORWARD, RIGHT_FORWARD], [6, 1, 1])[0]
                if self.game.is_episode_finished():
                    return
                now = self.logged()
                if math.hypot(now[0] - x, now[1] - y) < 0.2:
                    break
            yield from [rng.choice([LEFT, RIGHT])] * rng.randint(1, 3)


def split_of(scene, scenes):
    """The last tenth of the scenes is for tests, the tenth before for validation; at least one each."""
    part = max(1, round(scenes / 10))
    after = scenes - scene - 1
    return "test" if after < part else "validation" if after < 2 * part else "train"


def export(scene, number, episode, options):
    """Records an episode of a scene and writes it to a file."""
    route = options.routes[episode % len(options.routes)]
    rng = random.Random(f"{options.seed} {number} {episode}")
    recorded = scene.record(route, options.actions, options.actions_there, rng)
    if recorded is None:
        print(f"{scene.name}, episode {episode}: the agent died; left out")
        return
    frames, codes, poses = recorded
    tensors = {
        "frames": np.stack(frames),
        "actions": np.array(codes, np.uint8),
        "poses": np.array(poses, np.float64),
    }
    texts = {
        "source": scene.source,
        "scene": scene.name,
        "split": split_of(number, options.scenes),
        "route": route,
        "frames_per_action": json.dumps(FRAMES_PER_ACTION),
    }
    save_file(tensors, options.out / f"{options.simulator}-{number:03}-{episode:02}.safetensors", metadata=texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("simulator", choices=["miniworld", "vizdoom"])
    parser.add_argument("--out", type=Path, required=True, help="folder to write the episodes to")
    parser.add_argument("--scenes", type=int, default=20, help="buildings or maps, at least 3; Freedoom has 32")
    parser.add_argument("--episodes-per-scene", type=int, default=4)
    parser.add_argument("--routes", nargs="+", choices=ROUTES, default=ROUTES)
    parser.add_argument("--actions", type=int, default=64, help="actions of an episode that explores")
    parser.add_argument("--actions-there", type=int, default=12, help="actions of a way that is retraced")
    parser.add_argument("--size", type=int, default=64, help="height and width of frames in pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.scenes < 3:
        parser.error("--scenes must be at least 3, one for each split")
    if options.simulator == "vizdoom" and options.scenes > 32:
        parser.error("--scenes must be at most 32: Freedoom Phase 2 has 32 maps")
    options.out.mkdir(parents=True, exist_ok=True)
    options.out = options.out.resolve()
    if any(options.out.glob("*.safetensors")):
        # Names do not tell settings, so that episodes of two exports would be mixed.
        parser.error(f"{options.out} has episodes already: remove them, or name another folder")
    # ViZDoom leaves its configuration in the working folder.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number in range(options.scenes):
            if options.simulator == "miniworld":
                scene = MiniWorldScene(1000 * options.seed + number, options.size)
            else:
                scene = DoomScene(number, options.size)
            for episode in range(options.episodes_per_scene):
                export(scene, number, episode, options)
            scene.close()
            print(f"{scene.name}: done", flush=True)


if __name__ == "__main__":
    main()
