"""Draws a scene from a camera: linear light, depth along the optical axis in metres, and object numbers.

OpenGL 3.3 on an EGL context without a screen: the graphics card where there is one, Mesa's software renderer
elsewhere. The environment variable `GLCONTEXT_DEVICE_INDEX` picks another EGL device by its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import DenseDepthError
from densedepth.rooms import shaders
from densedepth.rooms.scene import VERTEX, Light, Scene
from densedepth.rooms.view import look
from densedepth.types import Camera

NEAR_M, FAR_M = 0.05, 60.0
SHADOW_SIDE = 1024
SUPERSAMPLING = 2
LAYOUT = "3f4 3i1 1x1 2f4 4f1 4f2"
"""`scene.VERTEX` in moderngl's words; the fourth byte of the normal is padding."""

SHADOW_FOV_DEG = 150.0
KINDS = {"window": 0, "lamp": 1, "sun": 2}
SOFTNESS = {"window": 0.03, "lamp": 0.009, "sun": 0.002}
"""Radius of a shadow's soft edge, in sides of the map at a metre's distance."""

LAMP_RADIUS2_M2 = 0.2
"""Keeps a lamp, which is drawn as a point, from burning out what is right beside it."""


@dataclass(frozen=True)
class Rendered:
    """One view.

    Attributes:
        light: float32 (H, W, 3), linear RGB radiance.
        depth_m: float32 (H, W), along the optical axis, exact at pixel centres.
        objects: int32 (H, W), object numbers of the scene; 0 is the room, -1 nothing.
    """

    light: NDArray[np.float32]
    depth_m: NDArray[np.float32]
    objects: NDArray[np.int32]


class Renderer:
    """An OpenGL context for photos of one size. Not to be shared between threads or processes.

    Raises:
        DenseDepthError: no OpenGL 3.3 without a screen on this machine.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.gl = _context()
        gl = self.gl
        gl.enable(gl.DEPTH_TEST)
        self.surface = gl.program(vertex_shader=shaders.SURFACE_VERTEX, fragment_shader=shaders.SURFACE_FRAGMENT)
        self.exact = gl.program(vertex_shader=shaders.SURFACE_VERTEX, fragment_shader=shaders.EXACT_FRAGMENT)
        self.shadow = gl.program(vertex_shader=shaders.SHADOW_VERTEX, fragment_shader=shaders.SHADOW_FRAGMENT)
        self.gather, self.smooth, self.lighting = (
            gl.program(vertex_shader=shaders.FULL_SCREEN, fragment_shader=source)
            for source in (shaders.GATHER, shaders.SMOOTH, shaders.LIGHTING)
        )
        size, fine = (width, height), (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.fine_color = gl.texture(fine, 4)
        self.depth, self.normal = gl.texture(size, 2, dtype="f4"), gl.texture(size, 4, dtype="f2")
        self.gathered = [gl.texture(size, 4, dtype="f2") for _ in range(2)]
        self.smoothed = [gl.texture(size, 4, dtype="f2") for _ in range(2)]
        self.light = gl.texture(size, 4, dtype="f4")
        self.surface_target = gl.framebuffer([self.fine_color], gl.depth_renderbuffer(fine))
        self.exact_target = gl.framebuffer([self.depth, self.normal], gl.depth_renderbuffer(size))
        self.gather_target, self.smooth_target = gl.framebuffer(self.gathered), gl.framebuffer(self.smoothed)
        self.light_target = gl.framebuffer([self.light])
        programs = (self.gather, self.smooth, self.lighting)
        self.screens = {program: gl.vertex_array(program, []) for program in programs}
        self.shadows = gl.depth_texture((SHADOW_SIDE * shaders.MAX_LIGHTS, SHADOW_SIDE))
        self.shadows.compare_func = "<="
        self.shadow_target = gl.framebuffer([], self.shadows)
        self.scene: Scene | None = None
        self._held: list[Any] = []

    @property
    def device(self) -> str:
        """Name of the graphics card, or of the software renderer."""
        return str(self.gl.info["GL_RENDERER"])

    def load(self, scene: Scene) -> None:
        """Take over a scene and draw its shadow maps; `view` then shows it."""
        # Another renderer of this process may have been at work since.
        with self.gl:
            for held in self._held:
                held.release()
            gl = self.gl
            self.scene = scene
            buffer = gl.buffer(scene.vertices.tobytes())
            names = ("point", "normal", "uv", "color", "marks")
            self.arrays = {
                self.surface: gl.vertex_array(self.surface, [(buffer, LAYOUT, *names)], skip_errors=True),
                self.exact: gl.vertex_array(self.exact, [(buffer, LAYOUT, *names)], skip_errors=True),
            }
            caster = gl.vertex_array(self.shadow, [(buffer, f"3f4 {VERTEX.itemsize - 12}x1", "point")])
            self.small = _texture_array(gl, scene.small, 256, 4)
            self.large = _texture_array(gl, scene.large, 512, 3)
            self._held = [buffer, caster, *self.arrays.values(), self.small, self.large]
            self.maps = [light_matrix(light, scene.extent) for light in scene.lights]
            self.shadow_target.use()
            self.shadow_target.clear(depth=1.0)
            for number, matrix in enumerate(self.maps):
                self.shadow_target.viewport = (number * SHADOW_SIDE, 0, SHADOW_SIDE, SHADOW_SIDE)
                self.shadow["light"].write(_column_major(matrix))
                caster.render(vertices=len(scene.vertices) - scene.shadowless)

    def view(self, camera: Camera, to_camera: NDArray[np.floating]) -> Rendered:
        """The loaded scene through `camera`.

        Args:
            camera: of the renderer's size.
            to_camera: 4 x 4, from room to camera axes (x right, y down, z forward).
        """
        assert self.scene is not None
        assert (camera.width, camera.height) == (self.width, self.height)
        with self.gl:
            matrix = _projection(camera)
            self.small.use(0)
            self.large.use(1)
            for program, target in ((self.surface, self.surface_target), (self.exact, self.exact_target)):
                program["view"].write(_column_major(to_camera))
                program["projection"].write(_column_major(matrix))
                program["small"], program["large"] = 0, 1
                target.use()
                target.clear(0.0, -1.0, 0.0, 0.0, depth=1.0)
                self.arrays[program].render()
            self._light(camera, np.linalg.inv(to_camera))
            shape = (self.height, self.width)
            depth = np.frombuffer(self.depth.read(), np.float32).reshape(*shape, 2)
            light = np.frombuffer(self.light.read(), np.float32).reshape(*shape, 4)
            return Rendered(light[..., :3], depth[..., 0].copy(), np.rint(depth[..., 1]).astype(np.int32))

    def _light(self, camera: Camera, to_room: NDArray[np.floating]) -> None:
        assert self.scene is not None
        lights = self.scene.lights
        missing = shaders.MAX_LIGHTS - len(lights)
        padded = lights + [Light("lamp", np.zeros(3), np.zeros(3))] * missing
        shared = {
            "lens": (camera.fx, camera.fy, camera.cx, camera.cy),
            "to_room": tuple(to_room.T.ravel()),
            "lights": len(lights),
            "kinds": [KINDS[light.kind] for light in padded],
            "places": [tuple(light.place) for light in padded],
        }
        reach = float(np.linalg.norm(self.scene.extent)) / 2 + 0.5
        wide = 2 * np.tan(np.radians(SHADOW_FOV_DEG / 2))
        self._run(
            self.gather,
            self.gather_target,
            {"depths": self.depth, "normals": self.normal, "colors": self.fine_color, "shadows": self.shadows},
            shared
            | {
                "size": (self.width, self.height),
                "maps": [tuple(m.T.ravel()) for m in [*self.maps, *[np.eye(4)] * missing]],
                "softness": [SOFTNESS[light.kind] for light in padded],
                "spread": [2 * reach if light.kind == "sun" else wide for light in padded],
            },
        )
        bounces, shares = self.gathered
        textures = {"depths": self.depth, "flat_normals": self.normal, "bounces": bounces, "raw_shares": shares}
        self._run(self.smooth, self.smooth_target, textures, {})
        bounces, shares = self.smoothed
        up, side, down = (tuple(color) for color in self.scene.ambient)
        surface = {"colors": self.fine_color, "normals": self.normal, "depths": self.depth}
        self._run(
            self.lighting,
            self.light_target,
            surface | {"bounces": bounces, "all_shares": shares},
            shared
            | {
                "factor": SUPERSAMPLING,
                "facings": [tuple(light.facing) for light in padded],
                "rights": [tuple(light.right) for light in padded],
                "extents": [(light.half_height_m or LAMP_RADIUS2_M2, light.area_m2) for light in padded],
                "powers": [tuple(light.power) for light in padded],
                "ambient_up": up,
                "ambient_side": side,
                "ambient_down": down,
            },
        )

    def _run(self, program: Any, target: Any, textures: dict[str, Any], values: dict[str, Any]) -> None:
        """One program over every pixel of `target`."""
        for unit, (name, texture) in enumerate(textures.items()):
            texture.use(unit)
            program[name] = unit
        for name, value in values.items():
            # A driver may have found that it can do without one of them.
            if name in program:
                program[name] = value
        target.use()
        self.gl.disable(self.gl.DEPTH_TEST)
        self.screens[program].render(mode=self.gl.TRIANGLES, vertices=3)
        self.gl.enable(self.gl.DEPTH_TEST)


def _context() -> Any:
    import moderngl

    try:
        settings: dict[str, Any] = {"backend": "egl"}
        return moderngl.create_context(standalone=True, require=330, **settings)
    except Exception as error:  # what the loader raises depends on the library that is missing
        raise DenseDepthError(
            f"no OpenGL 3.3 without a screen ({error}); apt install libegl1 libgl1-mesa-dri"
        ) from None


def _texture_array(gl: Any, pictures: list[NDArray[np.uint8]], side: int, channels: int) -> Any:
    data = np.stack(pictures) if pictures else np.full((1, side, side, channels), 255, np.uint8)
    array = gl.texture_array((side, side, len(data)), channels, data.tobytes())
    array.build_mipmaps()
    array.filter = (gl.LINEAR_MIPMAP_NEAREST, gl.LINEAR)
    array.repeat_x = array.repeat_y = True
    return array


def _column_major(matrix: NDArray[np.floating]) -> bytes:
    return np.ascontiguousarray(matrix.T, np.float32).tobytes()


def _projection(camera: Camera) -> NDArray[np.floating]:
    """Clip coordinates for camera axes. y stays down, so the first row that OpenGL stores is the photo's top."""
    near, far = NEAR_M, FAR_M
    matrix = np.zeros((4, 4))
    matrix[0] = (2 * camera.fx / camera.width, 0, 2 * camera.cx / camera.width - 1, 0)
    matrix[1] = (0, 2 * camera.fy / camera.height, 2 * camera.cy / camera.height - 1, 0)
    matrix[2] = (0, 0, (far + near) / (far - near), -2 * far * near / (far - near))
    matrix[3, 2] = 1
    return matrix


def light_matrix(light: Light, extent: tuple[float, float, float]) -> NDArray[np.floating]:
    """From room axes to the light's shadow map."""
    middle = np.array(extent) / 2
    if light.kind == "sun":
        reach = float(np.linalg.norm(middle)) + 0.5
        scale = np.diag([1 / reach, 1 / reach, 1 / (2 * reach), 1.0])
        scale[2, 3] = -1
        return np.asarray(scale @ look(middle + light.place * 2 * reach, -light.place))
    wide = Camera.from_fov(SHADOW_SIDE, SHADOW_SIDE, SHADOW_FOV_DEG)
    if light.kind == "window":
        # A step into the room, so that frame, sill and curtains stay behind.
        return _projection(wide) @ look(light.place + light.facing * 0.15, light.facing)
    # Straight down; a hair aside, so that "up" is defined.
    return _projection(wide) @ look(light.place, np.array([0.001, 0.0, -1.0]))
