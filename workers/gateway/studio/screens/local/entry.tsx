import { start } from "../../frame/start.tsx";
import { Local } from "./screen.tsx";

start("local", Local);
